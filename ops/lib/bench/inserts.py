"""Scenario h: what callers reach."""
import re
import subprocess
import time

from .figures import at_least
from .server import BenchError

PAYLOAD = """jsonb_build_object('first_name', 'Ada', 'last_name', 'Bench', 'email', 'bench' || {number} || '@example.com',
    'phone', '+2348000000000', 'type', 'individual', 'billing_address', jsonb_build_object('line1', 'Road 1', 'city', 'Lagos',
    'state', 'Lagos', 'zip_code', '100001', 'country', 'NG'))"""
INSERT_ONE = "INSERT INTO onboarding.jobs (kind, payload) VALUES ('juicyway.customer.create', " \
    + PAYLOAD.format(number=":client_id") + ");\n"
# {count} is left for whoever uses it.
INSERT_MANY = "INSERT INTO onboarding.jobs (kind, payload) SELECT 'juicyway.customer.create', " \
    + PAYLOAD.format(number="i") + " FROM generate_series(1, {count}) AS i;\n"


def inserts(bench):
    """h  inserts a second by single statements and in bulk, with and without idle workers listening"""
    seconds = bench.size(10, 2)
    cases = {
        "single statements, 1 client": (INSERT_ONE, 1, 1), "single statements, 8 clients": (INSERT_ONE, 8, 1),
        "bulk of 1,000, 1 client": (INSERT_MANY.format(count=1000), 1, 1000),
    }
    without = {name: [] for name in cases}
    listening = {name: [] for name in cases}
    for turn in range(bench.repeats):
        for name, (script, clients, rows) in cases.items():
            # The one that goes first has the warmer or the colder disk: they take turns.
            for has_listeners in ((False, True) if turn % 2 == 0 else (True, False)):
                rate = measure(bench, script, clients, rows, seconds, 4 if has_listeners else 0)
                (listening if has_listeners else without)[name].append(rate)
    for name in cases:
        bench.report.add("h", f"{name}, nobody listens", "jobs/s", without[name])
        bench.report.add("h", f"{name}, 4 idle workers listen", "jobs/s", listening[name], without[name],
                         "without them", at_least(0.9) if "8 clients" in name else None)


def measure(bench, script, clients, rows, seconds, listeners):
    with bench.database() as database:
        # Idle for them: they listen as all do, and serve another provider than the one whose jobs come.
        workers = [bench.worker(database, 64, until_idle=False, providers="iron") for _ in range(listeners)]
        try:
            if workers:
                time.sleep(1)
            bench.server.sql(database, "CHECKPOINT;")
            path = bench.server.folder / "insert.sql"
            path.write_text(script)
            done = subprocess.run(
                [bench.server.binaries / "pgbench", "-n", "-M", "prepared", "-f", path, "-c", str(clients), "-j", "1",
                 "-T", str(seconds), bench.server.url(database)], capture_output=True, text=True, timeout=60 + seconds * 3)
        finally:
            for worker in workers:
                worker.stop()
    told = re.search(r"tps = ([\d.]+)", done.stdout)
    if not told:
        raise BenchError("pgbench failed: " + done.stderr[-300:])
    return float(told[1]) * rows
