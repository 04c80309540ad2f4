"""Scenarios i and j: what a worker costs that has nothing to do, and what it holds at most."""
import time

from .figures import at_most


def idle(bench):
    """i  idle cost: CPU of worker and server with nothing to do"""
    seconds = bench.size(30, 4)
    worker_ms, server_ms, alone_ms, claims = [], [], [], []
    with bench.database() as database, bench.provider(0) as port:
        for _ in range(bench.repeats):
            alone_ms.append(server_cost(bench, seconds))
            worker = bench.http_worker(database, 64, port, until_idle=False)
            try:
                time.sleep(3)
                calls, _ = bench.claims(database)
                before, begun = worker.cpu_so_far(), time.monotonic()
                server_ms.append(server_cost(bench, seconds))
                passed = time.monotonic() - begun
                worker_ms.append((worker.cpu_so_far() - before) / passed * 1000)
                claims.append((bench.claims(database)[0] - calls) / passed)
            finally:
                worker.stop()
            bench.peaks["i"] = max(bench.peaks.get("i", 0), worker.peak_mb)
    bench.report.add("i", "worker's CPU when idle", "ms/s", worker_ms, target=at_most(3, "value"))
    bench.report.add("i", "server's CPU beside an idle worker", "ms/s", server_ms)
    bench.report.add("i", "server's CPU without a worker", "ms/s", alone_ms)
    bench.report.add("i", "claims of an idle worker", "/s", claims)


def server_cost(bench, seconds):
    """Milliseconds a second over all of the server's processes that live throughout."""
    def used():
        return {pid: taken for pid, _, taken in bench.server.processes()}

    before, begun = used(), time.monotonic()
    time.sleep(seconds)
    after = used()
    passed = time.monotonic() - begun
    return sum(after[pid] - before.get(pid, 0) for pid in after) / passed * 1000


def memory(bench):
    """j  peak memory of the worker at each of these"""
    if not bench.peaks:
        jobs = bench.size(50_000, 3_000)
        with bench.database() as database, bench.provider(20) as port:
            for concurrency in (100, 1000, 2000):
                bench.fresh(database, jobs)
                bench.scenario = f"in process at {concurrency}"
                bench.drain(database, lambda: bench.worker(database, concurrency), jobs)
                bench.fresh(database, jobs)
                bench.scenario = f"over HTTP at {concurrency}"
                bench.drain(database, lambda: bench.http_worker(database, concurrency, port), jobs)
    for scenario, peak in sorted(bench.peaks.items()):
        bench.report.add("j", f"worker's peak memory, {scenario}", "MB", [peak], target=at_most(100, "value"))
