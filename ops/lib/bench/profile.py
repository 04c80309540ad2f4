"""What a drain's time goes to: the processor by program, statements with their pages and WAL, what sessions wait for, and,
where `perf` is installed, functions."""
import collections
import contextlib
import os
import re
import shutil
import subprocess
import threading
import time

from .server import BenchError

STATEMENTS = """SELECT queryid, calls, total_exec_time, shared_blks_hit + shared_blks_read, shared_blks_dirtied, wal_bytes,
    wal_fpi, translate(query, E'\\n\\x1f', '  ') FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '{database}')"""
# A session at work that waits for nothing is on the processor, or would be if there were more of them.
WAITS = """SELECT coalesce(wait_event_type || ' ' || wait_event, 'no wait'), count(*) FROM pg_stat_activity
    WHERE datname = '{database}' AND state = 'active' AND pid <> pg_backend_pid() GROUP BY 1"""
SHOWN = 6


class Profile:
    """Of one drain, while it runs."""

    def __init__(self, bench, database, programs):
        self.server = bench.server
        self.database = database
        # A list that may still grow: the workers that are watched.
        self.programs = programs
        self.before = self.statements()
        self.waits = collections.Counter()
        self.first, self.last = {}, {}
        self.workers = {}
        self.ended = threading.Event()
        self.perf = Perf(bench) if shutil.which("perf") else None
        self.begun = time.monotonic()
        self.sampler = threading.Thread(target=self._sample, daemon=True)
        self.sampler.start()

    def statements(self):
        rows = self.server.sql("postgres", STATEMENTS.format(database=self.database) + ";")
        return {row[0]: ([float(number) for number in row[1:7]], row[7]) for row in rows}

    def end(self):
        self.ended.set()
        self.sampler.join()
        self.seconds = time.monotonic() - self.begun
        if self.perf:
            self.perf.end()
        self.after = self.statements()

    def _sample(self):
        # Of another database: its own statements are not among those that are counted.
        session = self.server.session("postgres")
        try:
            while not self.ended.wait(0.05):
                for wait, count in session.query(WAITS.format(database=self.database)):
                    self.waits[wait] += int(count)
                for pid, kind, used in self.server.processes():
                    self.first.setdefault(pid, used if time.monotonic() - self.begun < 0.2 else 0)
                    self.last[pid] = (kind, used)
                for program in list(self.programs):
                    with contextlib.suppress(OSError, IndexError):
                        self.workers[program.pid] = program.cpu_so_far()
        finally:
            session.close()

    def lines(self, jobs):
        """For people, a list of lines."""
        used = collections.Counter()
        for pid, (kind, seconds) in self.last.items():
            used[kind] += seconds - self.first[pid]
        used["workers"] = sum(self.workers.values())
        total = sum(used.values()) or 1
        yield "processor: " + ", ".join(f"{kind} {seconds / jobs * 1e6:.0f} us a job" for kind, seconds in used.most_common()
                                        if seconds > total / 200) + f"; {total:.1f} s in {self.seconds:.1f} s on {os.cpu_count()} cores"
        rows = []
        for query, (after, text) in self.after.items():
            before = self.before.get(query, ([0] * 6, ""))[0]
            rows.append(([new - old for new, old in zip(after, before)], text))
        rows.sort(key=lambda row: -row[0][1])
        for (calls, milliseconds, pages, dirtied, wal, images), text in rows[:SHOWN]:
            if calls:
                yield (f"{name(text)}: {calls:.0f} calls of {milliseconds / calls:.1f} ms, {milliseconds / jobs * 1000:.0f} us a job; "
                       f"{pages / jobs:.1f} pages a job, {dirtied / jobs:.2f} dirtied; {wal / jobs:,.0f} bytes of WAL, "
                       f"{images / jobs:.3f} page images")
        sampled = sum(self.waits.values()) or 1
        yield "sessions at work: " + ", ".join(f"{wait} {count / sampled:.0%}" for wait, count in self.waits.most_common(8))
        if self.perf:
            yield from self.perf.lines()


class Perf:
    """`perf` over all processors."""

    def __init__(self, bench):
        self.file = bench.log("perf")
        self.process = subprocess.Popen(["perf", "record", "-q", "-a", "-F", "499", "-o", self.file],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def end(self):
        self.process.terminate()
        self.process.wait(30)

    def lines(self):
        for sort in ("comm", "dso,symbol"):
            told = subprocess.run(["perf", "report", "-i", self.file, "--stdio", "--no-children", "--sort", sort, "-g", "none"],
                                  capture_output=True, text=True)
            found = re.findall(r"^\s+([\d.]+)%\s+(\S.*?)\s*$", told.stdout, re.M)
            yield f"perf by {sort}: " + (", ".join(f"{' '.join(what.split())} {part} %" for part, what in found[:12]) or "no samples")
        self.file.unlink(missing_ok=True)


def name(text):
    """What people know a statement by."""
    called = re.search(r"onboarding\.(\w+)\s*\(", text)
    return called[1] if called else " ".join(text.split())[:60]


@contextlib.contextmanager
def profiled(bench, label, database, jobs, programs):
    """Profiles what runs inside when `--profile` asks for it, and tells."""
    if not bench.options.profile:
        yield
        return
    profile = Profile(bench, database, programs)
    try:
        yield
    finally:
        profile.end()
    bench.say(f"profile of {label}, {jobs:,} jobs")
    lines = list(profile.lines(jobs))
    for line in lines:
        bench.say(f"  {line}")
    bench.report.profiles.append({"scenario": bench.scenario, "label": label, "jobs": jobs, "lines": lines})
