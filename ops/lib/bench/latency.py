"""Scenario c: from the caller's commit to the first byte of the request."""
import statistics
import time

from .figures import at_most
from .inserts import INSERT_MANY
from .programs import Program
from .server import BenchError


def delay(bench):
    """c  delay from the caller's commit to the first byte of the request, idle queue and at half load"""
    count = bench.size(1_000, 150)
    idle, loaded = [], []
    rate = half_load(bench)
    for _ in range(bench.repeats):
        idle.append(measure(bench, count))
        loaded.append(measure(bench, count, rate))
    for name, runs, targets in (("idle queue", idle, (3, 15)), (f"half load, {rate:,.0f} jobs/s", loaded, (None, None))):
        for part, bound in zip(("median", "99th percentile"), targets):
            values = [statistics.median(run) if part == "median" else percentile(run, 99) for run in runs]
            bench.report.add("c", f"commit to first byte, {name}: {part}", "ms", values,
                             target=at_most(bound, "value") if bound else None)


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part / 100))]


def half_load(bench):
    """Half of what a worker of this size does over HTTP, measured here unless scenario b has."""
    rates = bench.rates.get("HTTP 0 ms, 100")
    if not rates:
        jobs = bench.size(20_000, 2_000)
        with bench.database() as database, bench.provider(0) as port:
            bench.fill(database, jobs)
            rates = [bench.drain(database, lambda: bench.http_worker(database, 100, port), jobs).rate]
    return statistics.median(rates) / 2


def measure(bench, count, rate=0):
    """The delay of each job in milliseconds, with `rate` other jobs a second."""
    arrivals, commits = bench.log("arrivals"), bench.log("commits")
    with bench.database() as database, bench.provider(0, arrivals) as port:
        worker = bench.http_worker(database, 100, port, until_idle=False)
        load = None
        try:
            time.sleep(1)
            environment = {"ONBOARD_DATABASE_URL": bench.server.url(database)}
            if rate:
                load = background(bench, database, rate, seconds=30 + count * 0.03)
                time.sleep(1)
            caller = Program([bench.binaries / "onboard-bench", "enqueue", "--count", count, "--interval-ms", 20,
                              "--file", commits], environment, bench.log("enqueue"))
            caller.wait(60 + count * 0.1)
            if load:
                load.kill()
            # What the load left may be in front of the last ones.
            wanted = {line.split()[0] for line in commits.read_text().splitlines()}
            end = time.monotonic() + 20
            while time.monotonic() < end and not wanted <= {line.split()[0] for line in arrivals.read_text().splitlines() if line.count(" ")}:
                time.sleep(0.2)
        finally:
            if load:
                load.kill()
            worker.stop()
        bench.peaks["c"] = max(bench.peaks.get("c", 0), worker.peak_mb)
    arrived = dict(line.split() for line in arrivals.read_text().splitlines())
    delays = []
    for line in commits.read_text().splitlines():
        key, committed = line.split()
        if key in arrived:
            delays.append((int(arrived[key]) - int(committed)) / 1000)
    if len(delays) < count:
        raise BenchError(f"{count - len(delays)} of {count} jobs did not arrive: {worker.output()[-300:]}")
    return delays


def background(bench, database, rate, seconds):
    """Callers that commit ten jobs at a time at a steady rate."""
    script = bench.server.folder / "background.sql"
    script.write_text(INSERT_MANY.format(count=10))
    return Program([bench.server.binaries / "pgbench", "-n", "-M", "prepared", "-f", script, "-c", 2, "-R", f"{rate / 10:.1f}",
                    "-T", int(seconds), bench.server.url(database)], {}, bench.log("background"))
