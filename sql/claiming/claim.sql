-- Claims up to `wanted` due jobs of one provider for one live worker.
--
-- The cursor arrays say where to continue, one entry per priority: jobs at or before (run_at, id) were claimed already,
-- and dead index entries in front of them are not walked again, however long some transaction keeps them from being
-- vacuumed. Null arrays start from the beginning of every priority. `byte_budget` bounds the sum of the payloads; a
-- larger payload may come alone, up to `single_budget`. Returns a row per job; without any, one row with a null id that
-- says why and when to try again.
-- Callers: `claim_turn`, queries/claim.sql.
-- Locks: the provider's row where a limit holds (`permits`), then the jobs, passing by those that are locked; waits for
-- 0.25 s at most.
-- Errors: 55P03 after that wait; 23505 when two claims race for one order key (jobs_order_running_idx).
CREATE OR REPLACE FUNCTION onboarding.claim(
    worker_id text, provider_name text, wanted integer, byte_budget bigint, single_budget bigint, lease_ms integer,
    from_priority smallint[] DEFAULT NULL, from_run_at timestamptz[] DEFAULT NULL, from_id bigint[] DEFAULT NULL)
RETURNS TABLE (
    id bigint, claim_token bigint, kind text, step text, attempt smallint, max_attempts smallint,
    backoff_step smallint, idempotency_key text, payload text, payload_bytes integer, body_sha256 bytea,
    parameters text, after_provider_id text, traceparent text, remaining_ms bigint, first_sent_ms bigint,
    last_sent_ms bigint, horizon_ms bigint, is_cancelled boolean, mute_look_ups smallint, mute_ms bigint,
    last_create_status integer, request_sha256 bytea, evidence_id text, evidence_status text,
    claimed_at text, priority smallint, run_at text, hint text, wait_ms integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- The plans are pinned: whatever the statistics say, the claim walks its index in order.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan SET jit = off
-- Somebody's open transaction on one provider must not hold up the claims of the others.
SET lock_timeout = '250ms' AS $$
#variable_conflict use_column
DECLARE
    permit record;
    taken integer;
    horizon bigint;
    probe bigint;
    watched_since timestamptz;
    set_back_at timestamptz;
    -- Not now(): the claim may have waited for its permits.
    t timestamptz;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM onboarding.worker_leases w WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp())
    THEN
        claim.hint := 'fenced'; claim.wait_ms := 0; RETURN NEXT; RETURN;
    END IF;
    SELECT * INTO permit FROM onboarding.permits(provider_name, wanted);
    IF permit.allowed > 0 THEN
        horizon := onboarding.milliseconds(onboarding.effect_horizon(provider_name));
        SELECT m.clock_watched_since, m.clock_set_back_at INTO watched_since, set_back_at FROM onboarding.maintenance m;
        t := clock_timestamp();
        IF permit.probing THEN probe := onboarding.probe_job(provider_name, t); END IF;
        RETURN QUERY
        WITH claimed AS (
            UPDATE onboarding.jobs j
            SET state = 'running', claim_token = 1 + (random() * 9007199254740990)::bigint, claimed_by = worker_id,
                claimed_at = clock_timestamp(), marked_at = NULL, late_doubt = false, updated_at = t, lease_expires_at = t + lease_ms * interval '1 ms',
                attempt = j.attempt + CASE WHEN j.step = 'create' THEN 1 ELSE 0 END,
                body_sha256 = coalesce(j.body_sha256, sha256(convert_to(j.payload::text, 'UTF8')))
            WHERE j.id = ANY (ARRAY(
                SELECT due.id FROM (
                    SELECT d.id, row_number() OVER () AS place, sum(d.payload_bytes) OVER (ROWS UNBOUNDED PRECEDING) AS bytes
                    FROM unnest(coalesce(from_priority, '{0,1,2,3,4,5,6,7,8,9}'::smallint[]),
                            from_run_at, from_id) AS c (priority, run_at, id)
                    CROSS JOIN LATERAL (
                        SELECT q.id, q.payload_bytes FROM onboarding.jobs q
                        WHERE q.state = 'available' AND NOT q.is_behind AND q.provider = provider_name AND q.priority = c.priority
                          AND q.run_at <= t
                          AND (probe IS NULL OR q.id = probe)
                          AND (q.run_at, q.id) > (coalesce(c.run_at, '-infinity'::timestamptz), coalesce(c.id, 0))
                          AND (q.expires_at IS NULL OR q.expires_at > t OR q.last_sent_at IS NOT NULL)
                          AND (q.denied_at IS NULL
                              OR onboarding.sent_age_ms(q.denied_at, t, watched_since, set_back_at) >= horizon)
                          AND (q.order_key IS NULL OR (
                              q.id = (SELECT o.id FROM onboarding.jobs o
                                  WHERE o.provider = provider_name AND o.order_key = q.order_key
                                    AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain')
                                  ORDER BY o.id LIMIT 1)
                              AND (SELECT o.id FROM onboarding.jobs o
                                  WHERE o.provider = provider_name AND o.order_key = q.order_key
                                    AND o.state = 'running' LIMIT 1) IS NULL))
                        ORDER BY q.run_at, q.id
                        LIMIT permit.allowed
                        FOR NO KEY UPDATE SKIP LOCKED) d
                    LIMIT permit.allowed) due
                WHERE due.bytes <= byte_budget OR (due.place = 1 AND due.bytes <= single_budget)))
            RETURNING j.*
        )
        SELECT c.id, c.claim_token, c.kind, c.step, c.attempt, c.max_attempts, c.backoff_step,
            c.idempotency_key::text, c.payload::text, c.payload_bytes, c.body_sha256, c.parameters::text,
            CASE WHEN c.after_job_id IS NOT NULL
                THEN (SELECT a.provider_id FROM onboarding.jobs a JOIN onboarding.kinds k ON k.parent_kind = a.kind
                    WHERE a.id = c.after_job_id AND k.kind = c.kind) END,
            c.traceparent, onboarding.milliseconds(c.expires_at - t),
            onboarding.key_age_ms(c.first_sent_at, t, set_back_at),
            onboarding.sent_age_ms(c.last_sent_at, t, watched_since, set_back_at),
            horizon, c.cancel_requested_at IS NOT NULL, c.mute_look_ups, onboarding.milliseconds(t - c.mute_since),
            c.last_create_status, c.request_sha256, e.provider_id, e.provider_status, c.claimed_at::text, c.priority,
            -- In one form whatever the session's time zone, so that its order is the order of the texts.
            (c.run_at AT TIME ZONE 'UTC')::text || '+00',
            NULL::text, NULL::integer
        FROM claimed c
        LEFT JOIN LATERAL (
            SELECT l.provider_id, l.provider_status FROM onboarding.evidence l
            WHERE c.last_outcome IS NOT NULL AND l.job_id = c.id
            ORDER BY l.at DESC LIMIT 1) e ON true;
        GET DIAGNOSTICS taken = ROW_COUNT;
        IF taken > 0 THEN
            IF permit.counted THEN PERFORM onboarding.use_permits(provider_name, taken, permit.probing); END IF;
            RETURN;
        END IF;
        permit.hint := 'empty'; permit.wait_ms := NULL;
    END IF;
    claim.hint := permit.hint; claim.wait_ms := permit.wait_ms;
    RETURN NEXT;
END;
$$;
