"""The limit: what pgbench reaches with the statements that a worker sends, a claim of 100 and its completion."""
import math
import subprocess

from .server import BenchError

BATCH = 100

# A worker's cursor has one place a priority; all jobs here have priority 5.
CURSOR = "ARRAY[NULL, NULL, NULL, NULL, NULL, {0}, NULL, NULL, NULL, NULL]"

# Two transactions: the claim commits before anything else happens, as it does before a call. The claim's rows go back
# as arrays in pgbench's variables, and how they are printed costs the server what sending them as rows would.
SCRIPT = f"""
SELECT count(c.id) AS n, array_agg(c.id) AS ids, array_agg(c.claim_token) AS tokens, array_agg(c.claimed_at) AS claimed,
    array_agg(c.attempt) AS attempts, array_agg(c.idempotency_key) AS keys, array_agg(c.body_sha256) AS digests,
    array_agg('limit-' || c.id) AS made, sum(length(c.payload)) AS bytes, '{{0,1,2,3,4,5,6,7,8,9}}' AS priorities,
    {CURSOR.format("max(c.run_at)")}::text[] AS run_ats, {CURSOR.format("max(c.id)")}::bigint[] AS last_ids
FROM onboarding.claim('limit'::text, 'juicyway'::text, {BATCH}, 33554432, 9223372036854775807, 10000,
    nullif(:priorities::text[], '{{}}')::smallint[], nullif(:run_ats::text[], '{{}}')::timestamptz[],
    nullif(:last_ids::bigint[], '{{}}')) AS c \\gset
\\if :n > 0
SELECT c.job_id, c.claim_token, c.written, c.job_state
FROM onboarding.complete(:ids::bigint[], :tokens::bigint[], array_fill('limit'::text, ARRAY[:n::integer]), :claimed::text[], :attempts::smallint[],
    array_fill('create'::text, ARRAY[:n::integer]), array_fill('succeeded'::text, ARRAY[:n::integer]),
    array_fill('completed'::text, ARRAY[:n::integer]), array_fill('create'::text, ARRAY[:n::integer]),
    array_fill(0::bigint, ARRAY[:n::integer]), array_fill(true, ARRAY[:n::integer]), array_fill(true, ARRAY[:n::integer]),
    array_fill(false, ARRAY[:n::integer]), array_fill('same'::text, ARRAY[:n::integer]),
    array_fill(NULL::integer, ARRAY[:n::integer]), array_fill(201, ARRAY[:n::integer]),
    array_fill(NULL::text, ARRAY[:n::integer]), :made::text[], array_fill(NULL::text, ARRAY[:n::integer]),
    array_fill(NULL::text, ARRAY[:n::integer]), array_fill('created at the provider'::text, ARRAY[:n::integer]),
    array_fill(1::bigint, ARRAY[:n::integer]), array_fill(NULL::bigint, ARRAY[:n::integer]), :keys::text[],
    :digests::bytea[], array_fill(NULL::bytea, ARRAY[:n::integer])) AS c;
\\endif
"""


def run(server, database, jobs, clients, log):
    """Empties a queue of so many due jobs; returns how many were done."""
    server.sql(database, "SELECT onboarding.register_worker('limit', 'here', 'limit', 1000, '{juicyway}', 3600000)")
    script = server.folder / "limit.sql"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [server.binaries / "pgbench", "-n", "-M", "prepared", "-f", script, "-c", str(clients), "-j", str(min(clients, 2)),
         # One turn more than needed: two clients may have shared what was left.
         "-t", str(math.ceil(jobs / BATCH / clients) + 1), "-D", "priorities={}", "-D", "run_ats={}", "-D", "last_ids={}",
         server.url(database)],
        capture_output=True, text=True, timeout=60 + jobs / 100)
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise BenchError("pgbench failed: " + done.stderr.strip()[-500:])
    count = int(server.value(database, "count(*) FROM onboarding.attempts"))
    if count < 0.95 * jobs:
        raise BenchError(f"pgbench did {count} of {jobs} jobs")
    return count
