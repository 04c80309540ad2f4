"""What all scenarios share: databases, jobs, workers, and the reading of what they did."""
import contextlib
import dataclasses
import time

from . import limit
from .figures import Report
from .profile import profiled
from .programs import Program
from .server import BenchError

KINDS = {
    "juicyway": ("juicyway.customer.create", """jsonb_build_object('first_name', 'Ada', 'last_name', 'Bench',
        'email', 'bench' || i || '@example.com', 'phone', '+2348000000000', 'type', 'individual',
        'billing_address', jsonb_build_object('line1', 'Road 1', 'city', 'Lagos', 'state', 'Lagos', 'zip_code', '100001',
            'country', 'NG'))"""),
    "iron": ("iron.customer.create", """jsonb_build_object('customer_type', 'Person', 'name', 'Ada ' || i,
        'email', 'bench' || i || '@example.com', 'external_id', 'user-' || i)"""),
}


# How the statistics of statements know a worker's claims.
CLAIM = "%LATERAL onboarding.claim($1%"


@dataclasses.dataclass
class Drain:
    """What came of letting workers empty a queue."""
    rate: float
    cpu_per_thousand: float
    peak_mb: float
    wal_per_job: float
    commits_per_job: float
    claim_ms: float
    claims: int


class Bench:
    def __init__(self, server, binaries, options):
        self.server = server
        self.binaries = binaries
        self.options = options
        self.report = Report()
        # Peak memory of a worker, by scenario.
        self.peaks = {}
        self.scenario = "?"
        # The fastest rates seen, for scenarios that need a part of them.
        self.rates = {}
        self.number = 0

    def size(self, full, quick):
        """How many of something: the issue's size by `--scale`, or what a quick look needs."""
        return quick if self.options.quick else max(1, int(full * self.options.scale))

    @property
    def repeats(self):
        return self.options.repeats

    def say(self, text):
        print(f"   {text}", flush=True)

    def log(self, name):
        self.number += 1
        return self.server.folder / f"{name}-{self.number}.log"

    # Databases

    @contextlib.contextmanager
    def database(self):
        """A migrated database of its own."""
        self.number += 1
        name = f"bench_{self.number}"
        self.server.sql("postgres", f"CREATE DATABASE {name} TEMPLATE migrated")
        try:
            yield name
        finally:
            self.server.sql("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    def migrate(self):
        self.server.sql("postgres", "CREATE DATABASE migrated")
        for database in ("postgres", "migrated"):
            self.server.sql(database, "CREATE EXTENSION pg_stat_statements")
        program = Program([self.binaries / "onboard", "migrate"],
                          {"ONBOARD_DATABASE_URL": self.server.url("migrated")}, self.log("migrate"))
        program.wait(60)

    def fill(self, database, count, provider="juicyway", settle=True):
        """Jobs that are due. No trigger runs: what an insert costs is scenario h."""
        kind, payload = KINDS[provider]
        self.server.sql(database, f"""
            SET session_replication_role = replica; SET synchronous_commit = off;
            INSERT INTO onboarding.jobs (kind, payload, payload_bytes)
            SELECT '{kind}', p, octet_length(p::text)
            FROM generate_series(1, {count}) AS i CROSS JOIN LATERAL (SELECT {payload} AS p) AS made;""")
        if settle:
            self.settle(database)

    def settle(self, database):
        """The state that every run starts from: nothing to vacuum, to analyze or to write down.

        The first checkpoint: vacuum marks no page as visible to all while what filled it may not have reached the disk.
        """
        self.server.sql(
            database, "CHECKPOINT; VACUUM ANALYZE onboarding.jobs; VACUUM ANALYZE onboarding.attempts; CHECKPOINT;")

    def empty(self, database):
        self.server.sql(database, """TRUNCATE onboarding.jobs, onboarding.attempts, onboarding.state_changes;
            DELETE FROM onboarding.worker_leases;""")

    # Programs

    def worker(self, database, concurrency, delay_ms=0, until_idle=True, providers="juicyway"):
        """The daemon with a provider inside the process."""
        command = [self.binaries / "onboard-bench", "work", "--delay-ms", delay_ms]
        environment = {"ONBOARD_DATABASE_URL": self.server.url(database), "ONBOARD_CONCURRENCY": str(concurrency),
                       "ONBOARD_PROVIDERS": providers}
        return Program(command + ["--until-idle"] * until_idle, environment, self.log("work"))

    def http_worker(self, database, concurrency, port, until_idle=True):
        """The daemon as it is deployed."""
        environment = {"ONBOARD_DATABASE_URL": self.server.url(database), "ONBOARD_CONCURRENCY": str(concurrency),
                       "ONBOARD_JUICYWAY_BASE_URL": f"http://127.0.0.1:{port}", "ONBOARD_JUICYWAY_API_KEY": "bench",
                       "ONBOARD_HTTP_BIND": "off"}
        return Program([self.binaries / "onboard", "work"] + ["--until-idle"] * until_idle, environment, self.log("work"))

    @contextlib.contextmanager
    def provider(self, delay_ms, arrivals=None):
        """The minimal server; yields its port."""
        port_file = self.log("port")
        command = [self.binaries / "onboard-bench", "serve", "--delay-ms", delay_ms, "--port-file", port_file]
        program = Program(command + (["--arrivals", arrivals] if arrivals else []), {}, self.log("serve"))
        try:
            for _ in range(200):
                if port_file.exists() and port_file.read_text().strip():
                    break
                time.sleep(0.05)
            else:
                raise BenchError("the answering server did not start: " + program.output()[-300:])
            yield int(port_file.read_text())
        finally:
            program.kill()

    # Measuring

    def claims(self, database):
        """Calls and milliseconds that claims, and rows that completions have taken so far."""
        rows = self.server.sql(database, f"""
            SELECT coalesce(sum(calls), 0), coalesce(sum(total_exec_time), 0) FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND query LIKE '{CLAIM}';""")
        return int(rows[0][0]), float(rows[0][1])

    def commits(self, database):
        return int(self.server.value(database, f"xact_commit FROM pg_stat_database WHERE datname = '{database}'"))

    def drain(self, database, start, jobs, processes=1, watched=None, together=False, label="a drain"):
        """Lets workers empty the queue; `start` starts one. The database's clock takes the time.

        Where the queue holds more, `watched` is the job after whose end they are stopped: the last of so many. `together`
        holds the queue until all are up, or the time would be that of starting them.
        """
        server = self.server
        part = "true" if watched is None else f"job_id > {watched - jobs}"
        succeeded = f"count(*) FROM onboarding.attempts WHERE outcome = 'succeeded' AND {part}"
        wal, committed = server.value(database, "pg_current_wal_lsn()"), self.commits(database)
        calls, milliseconds = self.claims(database)
        before = int(server.value(database, succeeded))
        programs = []
        if together:
            server.sql(database, "SELECT onboarding.pause_provider('juicyway', 'bench', 'infinity');")
        try:
            with profiled(self, label, database, jobs, programs):
                for _ in range(processes):
                    programs.append(start())
                if together:
                    self.release(database, processes)
                if watched is not None:
                    self.wait_for(database, watched, 60 + jobs / 50, programs[0])
                for program in programs:
                    program.wait(60 + jobs / 50) if watched is None else program.stop()
        finally:
            for program in programs:
                program.kill()
        done = int(server.value(database, succeeded)) - before
        if done < jobs or (watched is None and done > jobs):
            raise BenchError(f"{done} of {jobs} jobs were done: {programs[0].output()[-500:]}")
        after_calls, after_milliseconds = self.claims(database)
        peak = max(program.peak_mb for program in programs)
        self.peaks[self.scenario] = max(self.peaks.get(self.scenario, 0), peak)
        written = float(server.value(database, f"pg_current_wal_lsn() - '{wal}'::pg_lsn"))
        return Drain(
            rate=self.rate(database, done, part),
            cpu_per_thousand=sum(program.processor_seconds for program in programs) / done * 1000, peak_mb=peak,
            wal_per_job=written / done, commits_per_job=(self.commits(database) - committed) / done,
            claim_ms=(after_milliseconds - milliseconds) / max(1, after_calls - calls), claims=after_calls - calls)

    def release(self, database, processes):
        """Waits until so many workers are signed on and idle, then lets them all go."""
        for _ in range(300):
            if int(self.server.value(database, "count(*) FROM onboarding.worker_leases")) == processes:
                break
            time.sleep(0.1)
        time.sleep(1)
        self.server.sql(database, "SELECT onboarding.resume_provider('juicyway');")

    def wait_for(self, database, job, seconds, worker):
        """Until a job is completed. Looks by the primary key, which costs the server nothing to speak of."""
        session = self.server.session(database)
        try:
            end = time.monotonic() + seconds
            while session.query(f"SELECT state FROM onboarding.jobs WHERE id = {job}") != [["completed"]]:
                if time.monotonic() > end:
                    raise BenchError(f"job {job} did not end: " + worker.output()[-300:])
                time.sleep(0.1)
            # Those just before it may end just after it.
            time.sleep(0.2)
        finally:
            session.close()

    def rate(self, database, jobs, where="true"):
        """Jobs a second from the first claim to the last end, by the journal. What an earlier turn gave back is none of it."""
        seconds = float(self.server.value(
            database, f"""extract(epoch FROM max(finished_at) - min(claimed_at)) FROM onboarding.attempts
                WHERE outcome = 'succeeded' AND {where}"""))
        return jobs / seconds

    def fresh(self, database, jobs):
        self.empty(database)
        self.fill(database, jobs)

    def limit(self, database, jobs, clients):
        """The database's own rate for the same statements, without any process of ours."""
        self.fresh(database, jobs)
        with profiled(self, f"pgbench, {clients} clients", database, jobs, []):
            done = limit.run(self.server, database, jobs, clients, self.log("pgbench"))
        return self.rate(database, done)
