-- Claims due jobs of one provider for one worker.
-- $1 worker text, $2 provider text, $3 wanted integer, $4 byte budget bigint, $5 byte budget of one that comes alone bigint,
-- $6 lease in milliseconds integer, $7 priorities text[], $8 run_at text[], $9 id bigint[] (the cursor; empty: from the start)
-- Returns one row a job, or one row with a null id that says why there is none and for how long.
-- Index: jobs_claim_idx
SELECT c.id, c.claim_token, c.kind, c.step, c.attempt, c.max_attempts, c.backoff_step, c.idempotency_key, c.payload,
    c.payload_bytes, c.body_sha256, c.parameters, c.after_provider_id, c.traceparent, c.remaining_ms, c.first_sent_ms,
    c.last_sent_ms, c.horizon_ms, c.is_cancelled, c.mute_look_ups, c.mute_ms, c.last_create_status, c.request_sha256,
    c.evidence_id, c.evidence_status, c.claimed_at, c.priority, c.run_at, c.hint,
    c.wait_ms
-- The turn comes first: the claim sees what those before it have committed.
FROM onboarding.claim_turn($2::text, $3::integer) AS turn (wanted)
CROSS JOIN LATERAL onboarding.claim($1::text, $2::text, turn.wanted, $4::bigint, $5::bigint, $6::integer,
    nullif($7::text[], '{}')::smallint[], nullif($8::text[], '{}')::timestamptz[], nullif($9::bigint[], '{}')) AS c
