"""Scenarios a, b and g: jobs through the queue."""
import re

from .figures import at_least, at_most
from .programs import Program
from .server import BenchError

# River with 2,000 slots on such a machine, beside a pgbench limit of 22,000 a second.
RIVER = 13_000


def drain(bench):
    """a  drain with the provider call replaced by an in-process answer, everything else real"""
    jobs = bench.size(100_000, 5_000)
    turns = {100: [], 2000: []}
    limits = []
    with bench.database() as database:
        clients = best_clients(bench, database, jobs)
        for _ in range(bench.repeats):
            limits.append(bench.limit(database, jobs, clients))
            for concurrency, drains in turns.items():
                bench.fresh(database, jobs)
                drains.append(bench.drain(
                    database, lambda: bench.worker(database, concurrency), jobs, label=f"concurrency {concurrency}"))
    bench.report.add("a", f"limit: pgbench, batches of 100, {clients} clients", "jobs/s", limits)
    bench.rates["limit"] = limits
    for concurrency, drains in turns.items():
        rates = [drain.rate for drain in drains]
        bench.report.add("a", f"drain, concurrency {concurrency}", "jobs/s", rates, limits, "the limit", at_least(0.8))
        bench.rates[f"in process, {concurrency}"] = rates
    bench.report.add("a", "drain, concurrency 2000, against River's best", "jobs/s", [drain.rate for drain in turns[2000]],
                     target=at_least(RIVER, "value"), note="River's limit was 22,000: compare ratios where the machine is slower")
    for concurrency, drains in turns.items():
        costs(bench, "a", f"concurrency {concurrency}", drains)


def best_clients(bench, database, jobs):
    """How many clients the server does best with, of 1, 2 and 4; one warm-up before."""
    jobs = max(5_000, jobs // 4)
    bench.limit(database, min(jobs, 5_000), 2)
    rates = {clients: bench.limit(database, jobs, clients) for clients in (1, 2, 4)}
    bench.say("pgbench: " + ", ".join(f"{rate:,.0f}/s with {clients}" for clients, rate in rates.items()))
    return max(rates, key=rates.get)


def costs(bench, scenario, name, drains, cpu_target=None):
    report = bench.report
    report.add(scenario, f"worker's CPU for 1,000 jobs, {name}", "s", [drain.cpu_per_thousand for drain in drains],
               target=cpu_target)
    # Each run begins after a checkpoint: the images of pages that it touches first are in this.
    report.add(scenario, f"WAL a job, {name}", "bytes", [drain.wal_per_job for drain in drains])
    report.add(scenario, f"commits a job, {name}", "", [drain.commits_per_job for drain in drains])
    report.add(scenario, f"a claim on the server, {name}", "ms", [drain.claim_ms for drain in drains],
               note=f"{drains[-1].claims} claims in the last run")
    report.add(scenario, f"worker's peak memory, {name}", "MB", [drain.peak_mb for drain in drains],
               target=at_most(100, "value"))


def over_http(bench):
    """b  the same over HTTP against a minimal local server, 0 and 20 ms, concurrency 100 and 1,000"""
    jobs = bench.size(100_000, 3_000)
    targets = {(20, 100): at_least(0.75), (20, 1000): at_least(0.4)}
    with bench.database() as database:
        for delay in (0, 20):
            for concurrency in (100, 1000):
                alone, drains, client_cpu = [], [], []
                with bench.provider(delay) as port:
                    for _ in range(bench.repeats):
                        rate, cpu = client_alone(bench, port, concurrency, jobs)
                        alone.append(rate)
                        client_cpu.append(cpu)
                        bench.fresh(database, jobs)
                        drains.append(bench.drain(
                            database, lambda: bench.http_worker(database, concurrency, port), jobs,
                            label=f"{delay} ms, concurrency {concurrency}"))
                name = f"{delay} ms, concurrency {concurrency}"
                rates = [drain.rate for drain in drains]
                bench.report.add("b", f"over HTTP, {name}", "jobs/s", rates, alone, "the client alone,",
                                 targets.get((delay, concurrency)))
                bench.report.add("b", f"client alone, CPU for 1,000 requests, {name}", "s", client_cpu)
                costs(bench, "b", name, drains, at_most(0.25, "value"))
                bench.rates[f"HTTP {delay} ms, {concurrency}"] = rates


def client_alone(bench, port, concurrency, requests):
    """Requests a second and processor seconds for 1,000 of them."""
    program = Program([bench.binaries / "onboard-bench", "client", "--port", port, "--concurrency", concurrency,
                       "--requests", max(requests, concurrency)], {}, bench.log("client"))
    program.wait(300)
    told = dict(re.findall(r"^(\w+) ([\d.e+-]+)$", program.output(), re.M))
    if "requests_per_second" not in told:
        raise BenchError("the client alone told no figure: " + program.output()[-300:])
    return float(told["requests_per_second"]), float(told["processor_seconds"]) / max(requests, concurrency) * 1000


def processes(bench):
    """g  1, 2, 4 and 8 worker processes, with calls of 20 ms and with none"""
    # With calls of 20 ms and few slots the calls are the limit, not the server: there more processes must bring more.
    slots, delay = 10, 20
    jobs = {count: bench.size(10_000, 1_000) * count for count in (1, 2)}
    waiting = {count: [] for count in (1, 2)}
    busy = {count: [] for count in (1, 2, 4, 8)}
    # Many: what the start of a process and of its sessions costs, with eight a third of the rate for half a second, is no rate.
    all_jobs = bench.size(300_000, 5_000)
    with bench.database() as database:
        for _ in range(bench.repeats):
            for count, rates in waiting.items():
                bench.fresh(database, jobs[count])
                rates.append(bench.drain(
                    database, lambda: bench.worker(database, slots, delay), jobs[count], count, together=True,
                    label=f"{count} with calls of {delay} ms").rate)
            for count, rates in busy.items():
                bench.fresh(database, all_jobs)
                rates.append(bench.drain(
                    database, lambda: bench.worker(database, 100), all_jobs, count, together=True,
                    label=f"{count} without delay").rate)
    bench.report.add("g", f"1 process, {slots} slots, calls of {delay} ms", "jobs/s", waiting[1])
    bench.report.add("g", f"2 processes, {slots} slots each, calls of {delay} ms", "jobs/s", waiting[2], waiting[1],
                     "one process", at_least(1.7))
    for count, rates in busy.items():
        name = f"{count} process{'es' * (count > 1)}, 100 slots each, no delay"
        if count == 8:
            bench.report.add("g", name, "jobs/s", rates, busy[4], "four processes", at_least(1.0))
        elif count > 1:
            bench.report.add("g", name, "jobs/s", rates, busy[1], "one process")
        else:
            bench.report.add("g", name, "jobs/s", rates)
