"""Scenarios d and e: what must not change while the table grows or an old snapshot is held."""
import time

from . import plot
from .bench import CLAIM, KINDS
from .figures import at_least, at_most
from .latency import background
from .server import BenchError

RATE = 1000


def steady(bench):
    """d  steady 1,000 jobs a second for 10 minutes with a transaction held open the whole time"""
    seconds = bench.size(600, 16)
    # The first and the last minute; of a shorter run, its first and last tenth, after it has warmed up.
    window = 60 if seconds >= 300 else max(4, seconds // 5)
    firsts, lasts, backlogs, done, came = [], [], [], [], []
    for turn in range(bench.repeats):
        samples = run_steadily(bench, seconds)
        first, last = between(samples, 0, window), between(samples, seconds - window, seconds)
        firsts.append(first)
        lasts.append(last)
        backlogs.append(max(sample["backlog"] for sample in samples[-max(2, len(samples) // 10):]))
        done.append(samples[-1]["done"] / samples[-1]["at"])
        came.append((samples[-1]["came"] - samples[0]["came"]) / samples[-1]["at"])
        if bench.options.plots:
            draw(bench, samples, turn)
    bench.report.add("d", f"a claim in the last {window} s of {seconds}", "ms", lasts, firsts,
                     f"the first {window} s,", at_most(1.2))
    bench.report.add("d", "jobs done, against those that came", "jobs/s", done, came, "the callers'")
    bench.report.add("d", "backlog at the end", "jobs", backlogs, target=at_most(RATE, "value"),
                     note="less than one second's jobs are none")


def run_steadily(bench, seconds):
    samples = []
    with bench.database() as database:
        holder, watcher = bench.server.session(database), bench.server.session(database)
        worker = load = None
        try:
            # A snapshot that sees the empty table: nothing that dies later can be vacuumed.
            holder.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
            holder.query("SELECT count(*) FROM onboarding.jobs")
            worker = bench.worker(database, 100, delay_ms=20, until_idle=False)
            time.sleep(1)
            load = background(bench, database, RATE, seconds + 5)
            begun = time.monotonic()
            # The first second has connecting and planning in it.
            time.sleep(1)
            begun += 1
            while time.monotonic() - begun <= seconds:
                samples.append({"at": time.monotonic() - begun, **look(watcher)})
                time.sleep(max(0.25, seconds / 600))
        finally:
            if load:
                load.kill()
            if worker:
                worker.stop()
            watcher.close()
            holder.close()
        bench.peaks["d"] = max(bench.peaks.get("d", 0), worker.peak_mb)
    start = samples[0]
    for sample in samples:
        for name in ("calls", "milliseconds", "done"):
            sample[name] -= start[name]
    if samples[-1]["done"] == 0:
        raise BenchError("nothing was done: " + worker.output()[-300:])
    return samples


def look(session):
    """Read from statistics and a sequence alone: counting rows would walk what the snapshot keeps."""
    row = session.query(f"""SELECT coalesce(sum(s.calls) FILTER (WHERE s.query LIKE '{CLAIM}'), 0),
            coalesce(sum(s.total_exec_time) FILTER (WHERE s.query LIKE '{CLAIM}'), 0),
            coalesce(sum(s.rows) FILTER (WHERE s.query LIKE '%onboarding.complete($1%'), 0),
            (SELECT last_value FROM onboarding.jobs_id_seq), pg_table_size('onboarding.jobs'),
            coalesce(pg_stat_get_dead_tuples('onboarding.jobs'::regclass), 0)
        FROM pg_stat_statements s WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())""")[0]
    done, came = int(row[2]), int(row[3])
    return {"calls": int(row[0]), "milliseconds": float(row[1]), "done": done, "came": came, "backlog": came - done,
            "bytes": int(row[4]), "dead": int(row[5])}


def between(samples, start, end):
    """Milliseconds a claim between two moments."""
    part = [sample for sample in samples if start <= sample["at"] <= end]
    if len(part) < 2 or part[-1]["calls"] == part[0]["calls"]:
        raise BenchError("too few claims to tell what one takes")
    return (part[-1]["milliseconds"] - part[0]["milliseconds"]) / (part[-1]["calls"] - part[0]["calls"])


def draw(bench, samples, turn):
    folder, step = bench.options.plots, max(1, len(samples) // 120)
    coarse = samples[::step]
    claims = [(after["at"], (after["milliseconds"] - before["milliseconds"]) / (after["calls"] - before["calls"]))
              for before, after in zip(coarse, coarse[1:]) if after["calls"] > before["calls"]]
    done = [(after["at"], (after["done"] - before["done"]) / (after["at"] - before["at"]))
            for before, after in zip(coarse, coarse[1:])]
    for name, title, unit, line in (
            ("claim", "A claim, with a snapshot held", "ms", claims), ("rate", "Jobs done", "jobs/s", done),
            ("backlog", "Backlog", "jobs", [(s["at"], s["backlog"]) for s in coarse]),
            ("size", "Table jobs", "MB", [(s["at"], s["bytes"] / 1e6) for s in coarse]),
            ("dead", "Dead rows of jobs", "rows", [(s["at"], s["dead"]) for s in coarse])):
        plot.write(folder, f"d-{name}-{turn + 1}", title, "seconds", unit, {title: line})


def full_table(bench):
    """e  10 million finished and 1 million waiting jobs in the table"""
    finished, waiting = bench.size(10_000_000, 50_000), bench.size(1_000_000, 30_000)
    turns = bench.repeats
    jobs = min(bench.size(100_000, 5_000), waiting // turns)
    empty, full = [], []
    views = {name: [] for name in ("queue_health", "uncertain_jobs", "failed_jobs", "workers", "vacuum_horizon")}
    with bench.database() as small, bench.database() as large:
        begun = time.monotonic()
        fill_history(bench, large, finished)
        bench.fill(large, waiting)
        # The minutes of an hour that nobody saw: a fleet counts each as it goes by.
        bench.server.sql(large, "SELECT onboarding.count_ended();")
        bench.say(f"{finished:,} finished and {waiting:,} waiting jobs after {time.monotonic() - begun:.0f} s")
        for _ in range(turns):
            bench.fresh(small, jobs)
            empty.append(bench.drain(small, lambda: bench.worker(small, 100), jobs, label="an empty table"))
            # The next of the million, wherever the last turn has stopped.
            first = bench.server.sql(large, """SELECT id FROM onboarding.jobs
                WHERE state = 'available' AND NOT is_behind AND provider = 'juicyway' ORDER BY priority, run_at, id LIMIT 1;""")
            watched = int(first[0][0]) - 1 + jobs
            bench.settle(large)
            full.append(bench.drain(large, lambda: bench.worker(large, 100, until_idle=False), jobs, watched=watched,
                                    label="a full table"))
            session = bench.server.session(large)
            for name, times in views.items():
                times.append(milliseconds(lambda: session.query(f"SELECT * FROM onboarding.{name}")))
            session.close()
    beside = f"beside {(finished + waiting) / 1e6:g} million jobs"
    bench.report.add("e", f"drain {beside}", "jobs/s", [drain.rate for drain in full], [drain.rate for drain in empty],
                     "an empty table's", at_least(0.9))
    bench.report.add("e", f"a claim {beside}", "ms", [drain.claim_ms for drain in full], [drain.claim_ms for drain in empty],
                     "an empty table's", at_most(1.2))
    bench.report.add("e", f"WAL a job {beside}", "bytes", [drain.wal_per_job for drain in full],
                     [drain.wal_per_job for drain in empty], "an empty table's")
    for name, times in views.items():
        bench.report.add("e", f"the view {name} {beside}", "ms", times, target=at_most(100, "value"))


def milliseconds(work):
    begun = time.monotonic()
    work()
    return (time.monotonic() - begun) * 1000


def fill_history(bench, database, count):
    """Finished jobs with their journal, as they are after their attempt; indexes are made at the end, which is faster."""
    server = bench.server
    indexes = server.sql(database, """SELECT indexname, replace(indexdef, E'\\n', ' ') FROM pg_indexes
        WHERE schemaname = 'onboarding' AND tablename = 'jobs' AND indexname <> 'jobs_pkey';""")
    server.sql(database, " ".join(f"DROP INDEX onboarding.{name};" for name, _ in indexes))
    kind, payload = KINDS["juicyway"]
    part = 500_000
    for first in range(1, count + 1, part):
        last = min(count, first + part - 1)
        # Finished a second apart for a thousand, so that the last hour has what an hour brings.
        server.sql(database, f"""
            SET session_replication_role = replica; SET synchronous_commit = off;
            INSERT INTO onboarding.jobs (id, kind, payload, payload_bytes, state, attempt, claim_token, claimed_by, claimed_at,
                run_at, created_at, updated_at, first_sent_at, last_sent_at, finished_at, last_http_status, last_create_status,
                last_outcome, provider_id, body_sha256)
            SELECT i, '{kind}', p, octet_length(p::text), 'completed', 1, i, 'history', t, t, t, t, t, t, t, 201, 201,
                'succeeded', 'history-' || i, sha256(convert_to(p::text, 'UTF8'))
            FROM generate_series({first}, {last}) AS i
            CROSS JOIN LATERAL (SELECT {payload} AS p, now() - ({count} - i) * interval '1 ms' AS t) AS made;
            INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, finished_at, idempotency_key,
                http_status, attempt, step, worker, outcome, next_state, provider_id, reason, body_sha256)
            SELECT id, claim_token, claimed_at, claimed_at, finished_at, idempotency_key, 201, 1, 'create', claimed_by,
                'succeeded', 'completed', provider_id, 'created at the provider', body_sha256
            FROM onboarding.jobs WHERE id BETWEEN {first} AND {last};""")
    server.sql(database, f"SELECT setval('onboarding.jobs_id_seq', {count});")
    server.sql(database, " ".join(f"{definition};" for _, definition in indexes))
