"""Other queues on the same server, in turn with ours: A B A B, so that a noisy minute hits all alike."""
import os
import pathlib
import re
import subprocess
import sys

from .figures import at_least
from .programs import Program
from .server import BenchError

SCRIPTS = pathlib.Path(__file__).resolve().parent / "peer_scripts"

# What pip calls each, and what its worker needs beside it.
PEERS = {
    "pgqueuer": ["pgqueuer", "asyncpg"], "awa": ["awa-pg"], "procrastinate": ["procrastinate", "psycopg[binary]"],
    "oban": ["oban"],
}
CONCURRENCY = 100


def compare(bench):
    python = environment(bench)
    found = [name for name in PEERS if install(bench, python, name)]
    # Peers are slower: fewer jobs take them as long.
    for scenario, delay in (("a", None), ("b", 20)):
        ours, theirs = [], {name: [] for name in found}
        wal, their_wal = [], {name: [] for name in found}
        jobs, fewer = bench.size(50_000, 3_000), bench.size(10_000, 500)
        with bench.database() as database, bench.provider(delay or 0) as port:
            for _ in range(bench.repeats):
                bench.fresh(database, jobs)
                bench.scenario = scenario
                drain = bench.drain(database, (lambda: bench.worker(database, CONCURRENCY)) if delay is None
                                    else (lambda: bench.http_worker(database, CONCURRENCY, port)), jobs)
                ours.append(drain.rate)
                wal.append(drain.wal_per_job)
                for name in list(theirs):
                    try:
                        rate, written = run(bench, python, name, fewer, None if delay is None else port)
                    except (BenchError, subprocess.TimeoutExpired) as error:
                        bench.say(f"{name} gave no figure: {str(error).strip().splitlines()[-1][:160]}")
                        del theirs[name]
                        continue
                    theirs[name].append(rate)
                    their_wal[name].append(written)
        tell(bench, scenario, delay, (ours, theirs), (wal, their_wal))


def tell(bench, scenario, delay, rates, wal):
    ours, theirs = rates
    what = "in process" if delay is None else f"over HTTP, {delay} ms"
    for name, values in theirs.items():
        bench.report.add(scenario, f"{name}, {what}, concurrency {CONCURRENCY}", "jobs/s", values)
    if theirs:
        fastest = max(theirs, key=lambda name: sum(theirs[name]))
        bench.report.add(scenario, f"ours, {what}, concurrency {CONCURRENCY}", "jobs/s", ours, theirs[fastest],
                         f"the fastest peer, {fastest},", at_least(3 if delay is None else 1))
        bench.report.add(scenario, f"WAL a job, {what}, against {fastest}", "bytes", wal[0], wal[1][fastest], f"{fastest}'s")


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
    done = subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PEERS[name], "aiohttp"],
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        bench.say(f"{name} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        return False
    shown = subprocess.run([python, "-m", "pip", "show", PEERS[name][0]], capture_output=True, text=True)
    bench.say(f"{name} {re.search(r'^Version: (.*)', shown.stdout, re.M)[1]}")
    return True


def run(bench, python, name, jobs, port):
    """A peer's rate and the WAL of one job; on a database of its own, which it sets up itself."""
    bench.number += 1
    database = f"peer_{bench.number}"
    bench.server.sql("postgres", f"CREATE DATABASE {database} TEMPLATE template0")
    try:
        url = f"postgresql://postgres@localhost/{database}?host={bench.server.folder}"
        program = Program([python, SCRIPTS / f"{name}_worker.py", url, jobs, CONCURRENCY,
                           f"http://127.0.0.1:{port}/customers" if port else "-"], {}, bench.log(name))
        try:
            program.wait(120 + jobs / 50)
        finally:
            program.kill()
        told = dict(re.findall(r"^(\w+) ([\d.e+-]+)$", program.output(), re.M))
        if "rate" not in told:
            raise BenchError(program.output()[-300:] or "no output")
        return float(told["rate"]), float(told["wal_bytes"]) / jobs
    finally:
        bench.server.sql("postgres", f"DROP DATABASE {database} WITH (FORCE)")
