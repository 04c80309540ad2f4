"""Scenario f: a provider that is down must not slow down the others."""
from .figures import at_least
from .server import BenchError

HINDRANCES = {
    "paused": "SELECT onboarding.pause_provider('juicyway', 'bench', 'infinity');",
    "throttled to 20 a second": "UPDATE onboarding.providers SET rate_per_second = 20 WHERE provider = 'juicyway';",
    "held after a throttle": "UPDATE onboarding.providers SET held_until = now() + interval '1 hour' WHERE provider = 'juicyway';",
}


def neighbours(bench):
    """f  500,000 due jobs of a paused or throttled provider in front of those of a healthy one"""
    # As many healthy ones as take ten seconds: what a worker counts once a minute, the 500,000 too, is a small part of it.
    blocked, healthy = bench.size(500_000, 20_000), bench.size(200_000, 4_000)
    alone = []
    beside = {name: [] for name in HINDRANCES}
    with bench.database() as database:
        for _ in range(bench.repeats):
            bench.empty(database)
            alone.append(measure(bench, database, healthy))
            for name, statement in HINDRANCES.items():
                bench.empty(database)
                bench.fill(database, blocked, settle=False)
                bench.server.sql(database, statement)
                beside[name].append(measure(bench, database, healthy))
                bench.server.sql(database, """UPDATE onboarding.providers
                    SET rate_per_second = NULL, rate_due_at = NULL, paused_until = NULL, pause_reason = NULL, held_until = NULL;""")
    bench.report.add("f", "healthy provider, nothing else due", "jobs/s", alone)
    for name, rates in beside.items():
        bench.report.add("f", f"healthy, behind {blocked:,} of one {name}", "jobs/s", rates, alone, "alone", at_least(0.95))


def measure(bench, database, healthy):
    """The rate of the healthy provider's jobs, in jobs a second."""
    bench.fill(database, healthy, "iron")
    last = int(bench.server.value(database, "max(id) FROM onboarding.jobs"))
    worker = bench.worker(database, 100, until_idle=False, providers="juicyway,iron")
    try:
        bench.wait_for(database, last, 60 + healthy / 50, worker)
    finally:
        worker.stop()
    bench.peaks["f"] = max(bench.peaks.get("f", 0), worker.peak_mb)
    done = int(bench.server.value(
        database, "count(*) FROM onboarding.jobs WHERE provider = 'iron' AND state = 'completed'"))
    if done != healthy:
        raise BenchError(f"{done} of {healthy} jobs of the healthy provider were done")
    return bench.rate(database, healthy, f"job_id > {last - healthy}")
