"""Other queues on the same server, in turn with ours: A B A B, so that a noisy minute hits all alike."""
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

from .figures import at_least, at_most
from .profile import profiled
from .programs import Program
from .server import BenchError

SCRIPTS = pathlib.Path(__file__).resolve().parent / "peer_scripts"

CONCURRENCY = 100


@dataclasses.dataclass
class Peer:
    """Another queue: what pip calls it, what its worker needs beside it, its script, and what else the script is told."""
    package: str
    needs: list
    script: str
    told: tuple = ()


PEERS = {
    # Half of the slots is the largest batch that it takes, ten the one that it takes when it is told none.
    "pgqueuer": Peer("pgqueuer", ["asyncpg"], "pgqueuer_worker.py", (CONCURRENCY // 2,)),
    "pgqueuer in batches of 10": Peer("pgqueuer", ["asyncpg"], "pgqueuer_worker.py", (10,)),
    "awa": Peer("awa-pg", [], "awa_worker.py"),
    "procrastinate": Peer("procrastinate", ["psycopg[binary]"], "procrastinate_worker.py"),
    "oban": Peer("oban", [], "oban_worker.py"),
}


def compare(bench):
    python = environment(bench)
    found = [name for name in PEERS if install(bench, python, name)]
    for scenario, delay in (("a", None), ("b", 20)):
        jobs = bench.size(50_000, 3_000)
        with bench.database() as database, bench.provider(delay or 0) as port:
            called = None if delay is None else port
            sizes = {name: turn_size(bench, python, name, jobs, called) for name in found}
            ours, theirs = [], {name: [] for name, size in sizes.items() if size}
            for _ in range(bench.repeats):
                bench.fresh(database, jobs)
                bench.scenario = scenario
                drain = bench.drain(database, (lambda: bench.worker(database, CONCURRENCY)) if delay is None
                                    else (lambda: bench.http_worker(database, CONCURRENCY, port)), jobs, label="ours")
                ours.append((drain.rate, drain.wal_per_job, drain.commits_per_job))
                for name in list(theirs):
                    turn = take_turn(bench, python, name, sizes[name], called)
                    if turn:
                        theirs[name].append(turn)
                    else:
                        del theirs[name]
        tell(bench, scenario, delay, ours, theirs)


def turn_size(bench, python, name, jobs, port):
    """How many jobs a peer has in a turn: as many as ours, or what it does in ten seconds; None where it gives no figure.

    The results that still wait to be written when the last handler ends are nothing to speak of then.
    """
    turn = take_turn(bench, python, name, max(1, jobs // 25), port)
    if not turn:
        return None
    size = max(1, min(jobs, int(turn[0] * 10)))
    bench.say(f"{name}: {size:,} jobs a turn")
    return size


def take_turn(bench, python, name, jobs, port):
    """What `run` says; None, and why, where the peer gives no figure."""
    try:
        return run(bench, python, name, jobs, port)
    except (BenchError, subprocess.TimeoutExpired) as error:
        bench.say(f"{name} gave no figure: {str(error).strip().splitlines()[-1][:160]}")
        return None


def tell(bench, scenario, delay, ours, theirs):
    """Each turn is a rate, the WAL of a job and its commits."""
    what = "in process" if delay is None else f"over HTTP, {delay} ms"
    rates = {name: [turn[0] for turn in turns] for name, turns in theirs.items()}
    for name, values in rates.items():
        bench.report.add(scenario, f"{name}, {what}, concurrency {CONCURRENCY}", "jobs/s", values)
    if theirs:
        fastest = max(rates, key=lambda name: sum(rates[name]))
        bench.report.add(scenario, f"ours, {what}, concurrency {CONCURRENCY}", "jobs/s", [turn[0] for turn in ours],
                         rates[fastest], f"the fastest peer, {fastest},", at_least(3 if delay is None else 1))
        for part, name, unit in ((1, "WAL", "bytes"), (2, "commits", "")):
            bench.report.add(scenario, f"{name} a job, {what}, against {fastest}", unit, [turn[part] for turn in ours],
                             [turn[part] for turn in theirs[fastest]], f"{fastest}'s", at_most(1.0))


def environment(bench):
    """A Python of its own, kept for the next time."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "onboard-bench" / "peers"
    if not (cache / "bin" / "python").exists():
        made = subprocess.run([sys.executable, "-m", "venv", cache], capture_output=True, text=True)
        if made.returncode != 0:
            raise BenchError("python3 cannot make an environment for the peers: apt-get install python3-venv")
    bench.say(f"peers are installed in {cache}")
    return cache / "bin" / "python"


def install(bench, python, name):
    done = subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", PEERS[name].package,
                           *PEERS[name].needs, "aiohttp"],
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        bench.say(f"{name} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        return False
    shown = subprocess.run([python, "-m", "pip", "show", PEERS[name].package], capture_output=True, text=True)
    bench.say(f"{name} {re.search(r'^Version: (.*)', shown.stdout, re.M)[1]}")
    return True


def run(bench, python, name, jobs, port):
    """A peer's rate, the WAL of one job and its commits; on a database of its own, which it sets up itself."""
    bench.number += 1
    database = f"peer_{bench.number}"
    bench.server.sql("postgres", f"CREATE DATABASE {database} TEMPLATE template0")
    try:
        url = f"postgresql://postgres@localhost/{database}?host={bench.server.folder}"
        program = Program([python, SCRIPTS / PEERS[name].script, url, jobs, CONCURRENCY,
                           f"http://127.0.0.1:{port}/customers" if port else "-", *PEERS[name].told],
                          {"PSQL": str(bench.server.binaries / "psql")}, bench.log("peer"))
        try:
            with profiled(bench, name, database, jobs, [program]):
                program.wait(120 + jobs / 50)
        finally:
            program.kill()
        told = dict(re.findall(r"^(\w+) ([\d.e+-]+)$", program.output(), re.M))
        if "rate" not in told:
            raise BenchError(program.output()[-300:] or "no output")
        # A session's commits are counted by its end at the latest, and the peer's sessions end with it.
        time.sleep(0.5)
        commits = bench.commits(database) - float(told["commits_before"])
        return float(told["rate"]), float(told["wal_bytes"]) / jobs, commits / jobs
    finally:
        bench.server.sql("postgres", f"DROP DATABASE {database} WITH (FORCE)")
