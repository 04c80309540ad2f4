-- What may exist at a provider, and for how long it may still come to exist (design, section 4, the effect horizon).
--
-- `last_sent_at` is set while an earlier request may have had its effect, or may still have it: the job is in doubt. It is
-- null where nothing was sent, or where a look-up proved that nothing exists. While a job runs, its present request is
-- told by `marked_at` or, where a key makes a resend harmless, by the claim itself. Nothing compares moments here, which a
-- clock that was set back would make wrong: a claim takes back the marks of the one before.

ALTER TABLE onboarding.providers
    ADD COLUMN effect_horizon interval NOT NULL DEFAULT '120 s'
        CONSTRAINT providers_effect_horizon_a_day CHECK (effect_horizon BETWEEN interval '0' AND interval '1 day');
GRANT UPDATE (effect_horizon) ON onboarding.providers TO onboarding_operator;

ALTER TABLE onboarding.worker_leases ADD COLUMN call_timeout interval NOT NULL DEFAULT '0';

ALTER TABLE onboarding.jobs
    -- When the present claim's request was marked as about to leave.
    ADD COLUMN marked_at timestamptz,
    -- Since the present claim a worker that had lost the job has told that its request may have had an effect.
    ADD COLUMN late_doubt boolean NOT NULL DEFAULT false,
    -- The last moment of a request of which a person said that it had no effect: nothing is created within its horizon.
    ADD COLUMN denied_at timestamptz,
    ADD COLUMN mute_since timestamptz,
    ADD COLUMN mute_look_ups smallint NOT NULL DEFAULT 0,
    ADD COLUMN request_sha256 bytea,
    -- The rule that no write may break, whoever decides: what may exist does not end without an answer.
    ADD CONSTRAINT jobs_no_end_in_doubt CHECK (state NOT IN ('failed', 'cancelled') OR last_sent_at IS NULL);

DROP FUNCTION onboarding.after_cancel, onboarding.can_look_up;
DROP FUNCTION onboarding.take_over(text, integer, bigint[]), onboarding.take_over(text, bigint[], integer);
-- Whether a job can be looked up is for the program alone to say.
ALTER TABLE onboarding.kinds DROP COLUMN look_up_field;

-- What an operator's verdict gives as the provider's id must have the form that its ids have: no word, no zeros.
ALTER TABLE onboarding.kinds ADD COLUMN id_pattern text NOT NULL DEFAULT
    '^(?=.*[0-9]|.{20})(?![0xX-]*$)(?![fF-]*$)[A-Za-z0-9][A-Za-z0-9._:~-]{0,254}$';

-- Only what was never sent expires without a look-up.
DROP INDEX onboarding.jobs_expiry_idx;
CREATE INDEX jobs_expiry_idx ON onboarding.jobs (expires_at)
    WHERE expires_at IS NOT NULL AND state = 'available' AND last_sent_at IS NULL;

-- Who else has a provider's id. Two answers that come at once with one id cannot both complete a job: `taken_ids` cannot see
-- what has not committed, this can. What a look-up or a person adopts may be shared.
CREATE UNIQUE INDEX jobs_provider_id_key ON onboarding.jobs
    (provider_id, provider, (CASE WHEN last_outcome = 'succeeded' THEN 0 ELSE id END)) WHERE provider_id IS NOT NULL;

-- How long after its last byte a request to the provider may have its effect: what the provider's row says, and where that
-- is the default or more, at least eight seconds more than the longest call of a live worker. Less than the default is
-- the choice of somebody who knows the provider, and is taken as it is.
CREATE FUNCTION onboarding.effect_horizon(provider_name text) RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p.effect_horizon < interval '120 s' THEN p.effect_horizon
        ELSE greatest(p.effect_horizon, (
            SELECT max(w.call_timeout) + interval '8 s' FROM onboarding.worker_leases w
            WHERE w.lease_expires_at > clock_timestamp())) END
    FROM onboarding.providers p WHERE p.provider = provider_name;
$$;

-- The moment, or `t` where it lies after it: it was written before the clock was set back. Null for none.
CREATE FUNCTION onboarding.not_after(moment timestamptz, t timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN CASE WHEN moment > t THEN t ELSE moment END;

-- Signs a worker on. `is_new` is null when its name is taken. `unwatched_ms` is null while another worker watches the
-- database's clock; else by how much the clock was set back meanwhile, as far as can be told, at most 0. The worker notes it
-- (`note_clock_jump`): no age from before is trusted. Waits for nobody's row but that of its name.
CREATE FUNCTION onboarding.register_worker(
    worker_id text, host_name text, program_version text, slots integer, served text[], lease_ms integer,
    call_ms integer DEFAULT 0, OUT is_new boolean, OUT unwatched_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t timestamptz := clock_timestamp();
BEGIN
    INSERT INTO onboarding.worker_leases (id, host, version, last_seen_at, lease_expires_at, concurrency, providers, call_timeout)
    VALUES (worker_id, host_name, program_version, t, t + lease_ms * interval '1 ms', slots, served, call_ms * interval '1 ms')
    ON CONFLICT (id) DO NOTHING
    RETURNING true INTO is_new;
    IF is_new AND NOT EXISTS (
        SELECT 1 FROM onboarding.worker_leases w
        WHERE w.id <> worker_id AND w.lease_expires_at > t AND w.last_seen_at <= t)
    THEN
        unwatched_ms := least(0, onboarding.milliseconds(t - (
            SELECT greatest(max(w.last_seen_at), max(m.clock_seen_at))
            FROM onboarding.maintenance m LEFT JOIN onboarding.worker_leases w ON w.id <> worker_id)));
        unwatched_ms := coalesce(unwatched_ms, 0);
    END IF;
    PERFORM onboarding.shorten_leases(t);
END;
$$;

-- Signs a worker off. What the clock showed is kept for the next one to sign on, unless somebody holds the row.
CREATE OR REPLACE FUNCTION onboarding.remove_worker(worker_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM onboarding.worker_leases w WHERE w.id = worker_id;
    PERFORM 1 FROM onboarding.maintenance FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN UPDATE onboarding.maintenance m SET clock_seen_at = clock_timestamp(); END IF;
END;
$$;

-- What workers that had lost their jobs brought of their own records. A record that another job has proves nothing of
-- this one: a person looks.
CREATE VIEW onboarding.evidence AS
SELECT l.* FROM onboarding.late_successes l
WHERE NOT EXISTS (
    SELECT 1 FROM onboarding.jobs o
    WHERE o.provider_id = l.provider_id AND o.id <> l.job_id
      AND o.provider = (SELECT j.provider FROM onboarding.jobs j WHERE j.id = l.job_id));

-- Whether a job is in doubt after an attempt: `sent`, the attempt's own request may have had its effect; `proven`, a look-up
-- or an answer proved that no request before the claim had or will have one. What a fenced-out worker brought since the
-- claim (`keep_late`) is not covered by that proof.
CREATE FUNCTION onboarding.is_in_doubt(last_sent_at timestamptz, late_doubt boolean, sent boolean, proven boolean)
RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN CASE WHEN proven THEN late_doubt ELSE sent OR last_sent_at IS NOT NULL END;

-- The state that an attempt ends in, given what the worker decided. A job in doubt fails or is cancelled only once the
-- doubt is over: until then its next claim finds out. One that was cancelled and is not in doubt is not tried again.
CREATE FUNCTION onboarding.state_after(wanted text, is_cancelled boolean, in_doubt boolean)
RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE WHEN wanted IN ('completed', 'waiting', 'uncertain') THEN wanted
    WHEN in_doubt THEN 'available' WHEN is_cancelled THEN 'cancelled' ELSE wanted END;

-- Second records that a job is known to have at a provider, and ids that two jobs share.
CREATE TABLE onboarding.shared_ids (
    job_id bigint NOT NULL,
    other_job_id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, other_job_id)
);
CREATE INDEX shared_ids_other_idx ON onboarding.shared_ids (other_job_id);

CREATE VIEW onboarding.doubles AS
SELECT 'second_record' AS double, j.kind, j.id AS job_id, NULL::bigint AS other_job_id, j.reference, j.provider_id,
    l.provider_id AS other_provider_id, l.at AS since,
    format('worker %s brought a second record of job %s', l.worker, j.id) AS reason
FROM onboarding.late_successes l
JOIN onboarding.jobs j ON j.id = l.job_id
WHERE j.provider_id <> l.provider_id
UNION ALL
SELECT 'shared_id', j.kind, j.id, o.id, j.reference, j.provider_id, o.provider_id, s.at,
    format('jobs %s and %s have the same record', j.id, o.id)
FROM onboarding.shared_ids s
JOIN onboarding.jobs j ON j.id = s.job_id
JOIN onboarding.jobs o ON o.id = s.other_job_id
WHERE j.provider_id = o.provider_id;
GRANT SELECT ON onboarding.doubles TO onboarding_operator, onboarding_monitor, onboarding_worker;

-- Notes of each of these jobs whether others have the same record. Called where an id may legitimately be another job's:
-- after adoptions and verdicts.
CREATE FUNCTION onboarding.note_shared_ids(job_ids bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    INSERT INTO onboarding.shared_ids (job_id, other_job_id)
    SELECT j.id, o.id
    FROM onboarding.jobs j
    JOIN onboarding.jobs o ON o.provider_id = ANY (ARRAY[j.provider_id]) AND o.provider = j.provider AND o.id <> j.id
    WHERE j.id = ANY (job_ids) AND j.provider_id IS NOT NULL
    ON CONFLICT DO NOTHING;
$$;

-- Writes that requests may have been sent, before they are, for kinds whose keys do not make a resend harmless. Returns the
-- tokens that may be sent: the claim is still this worker's, its lease holds, nobody has cancelled the job, and its time is
-- not over.
DROP FUNCTION onboarding.mark_sent;
CREATE FUNCTION onboarding.mark_sent(worker_id text, job_ids bigint[], tokens bigint[], request_digests bytea[] DEFAULT NULL)
RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    UPDATE onboarding.jobs j
    SET marked_at = clock_timestamp(), request_sha256 = coalesce(j.request_sha256, m.digest)
    FROM unnest(job_ids, tokens, request_digests) AS m (job_id, token, digest)
    -- What somebody has locked is not sent: perhaps a cancel that has not committed yet.
    WHERE j.id = ANY (ARRAY(SELECT f.id FROM onboarding.jobs f WHERE f.id = ANY (job_ids) FOR NO KEY UPDATE SKIP LOCKED))
      AND j.id = m.job_id AND j.claim_token = m.token AND coalesce(j.state, '') = 'running'
      AND j.cancel_requested_at IS NULL AND (j.expires_at IS NULL OR j.expires_at > clock_timestamp())
      AND EXISTS (SELECT 1 FROM onboarding.worker_leases w WHERE w.id = worker_id AND w.lease_expires_at > clock_timestamp())
    RETURNING j.claim_token;
$$;

-- Keeps in the journal what a worker brings of jobs that it has lost, and apart what proves a success. A request that may
-- have been sent puts a job that has not ended in doubt again, from now on. Returns a row an attempt that is not among the
-- written: whether it had been written before, when the answer to COMMIT was lost.
CREATE FUNCTION onboarding.keep_late(
    job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[],
    did_steps text[], outcomes text[], reached boolean[], http_statuses integer[], request_ids text[],
    provider_ids text[], provider_statuses text[], errors text[], sent_ages_ms bigint[], keys text[], digests bytea[],
    written_tokens bigint[])
RETURNS TABLE (job_id bigint, claim_token bigint, written boolean, job_state text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH missed AS (
        SELECT r.*,
            EXISTS (
                SELECT 1 FROM onboarding.attempts a
                WHERE a.job_id = r.job_id AND a.claim_token = r.token AND NOT a.late AND a.outcome <> 'lost') AS is_known,
            EXISTS (
                SELECT 1 FROM onboarding.attempts a
                WHERE a.job_id = r.job_id AND a.claim_token = r.token AND a.late) AS is_kept
        FROM unnest(job_ids, tokens, workers, claimed_ats, attempt_numbers, did_steps, outcomes, reached, http_statuses,
            request_ids, provider_ids, provider_statuses, errors, sent_ages_ms, keys, digests)
        AS r (job_id, token, worker, claimed_at, attempt, did_step, outcome, reached, http_status, request_id,
            provider_id, provider_status, error, sent_age_ms, key, digest)
        WHERE r.token <> ALL (written_tokens)
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, idempotency_key, http_status, attempt,
            late, step, worker, outcome, provider_id, provider_status, request_id, error, reason, body_sha256)
        SELECT m.job_id, m.token, m.claimed_at::timestamptz, now() - m.sent_age_ms * interval '1 ms', m.key::uuid,
            m.http_status, m.attempt, true, m.did_step, m.worker, m.outcome, m.provider_id, m.provider_status,
            m.request_id, m.error,
            CASE WHEN m.reached THEN 'came too late, and may have had an effect: another worker had the job'
                ELSE 'came too late: another worker had the job' END, m.digest
        FROM missed m WHERE NOT m.is_known AND NOT m.is_kept
        ON CONFLICT DO NOTHING
    ), evidence AS (
        INSERT INTO onboarding.late_successes (job_id, claim_token, provider_id, provider_status, worker)
        SELECT m.job_id, m.token, m.provider_id, m.provider_status, m.worker
        FROM missed m WHERE NOT m.is_known AND NOT m.is_kept AND m.provider_id IS NOT NULL
        ON CONFLICT DO NOTHING
    ), doubt AS (
        UPDATE onboarding.jobs j
        SET late_doubt = true,
            last_sent_at = CASE WHEN j.state IN ('available', 'running', 'uncertain')
                THEN greatest(j.last_sent_at, clock_timestamp()) ELSE j.last_sent_at END,
            first_sent_at = coalesce(j.first_sent_at, j.claimed_at)
        FROM missed m
        WHERE j.id = ANY (ARRAY[m.job_id]) AND m.reached AND NOT m.is_known AND NOT m.is_kept
          AND coalesce(j.state, '') IN ('available', 'running', 'uncertain', 'failed', 'cancelled')
    )
    SELECT m.job_id, m.token, m.is_known, NULL::text FROM missed m;
END;
$$;

-- Jobs of this batch whose answer to a creation has an id that another job of the provider has already, or one before them in
-- the batch. Counts all that have an id, for a limit would let a plan walk the primary key to find the first.
CREATE FUNCTION onboarding.taken_ids(job_ids bigint[], outcomes text[], provider_ids text[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    repeats boolean := (SELECT count(DISTINCT i) < count(i) FROM unnest(provider_ids) AS p (i));
BEGIN
    RETURN ARRAY(
        SELECT r.job_id
        FROM unnest(job_ids, outcomes, provider_ids) WITH ORDINALITY AS r (job_id, outcome, provider_id, place)
        WHERE r.outcome = 'succeeded' AND (
            (SELECT count(*) FROM onboarding.jobs o
                WHERE o.provider_id = ANY (ARRAY[r.provider_id]) AND o.id <> r.job_id
                  -- No condition of the index: it is asked for only where somebody has the id.
                  AND o.provider IS NOT DISTINCT FROM (SELECT m.provider FROM onboarding.jobs m WHERE m.id = ANY (ARRAY[r.job_id]))) > 0
            OR (repeats AND EXISTS (
                SELECT 1 FROM unnest(job_ids, provider_ids) WITH ORDINALITY AS p (job_id, provider_id, place)
                JOIN onboarding.jobs a ON a.id = p.job_id
                JOIN onboarding.jobs b ON b.id = r.job_id AND b.provider = a.provider
                WHERE p.provider_id = r.provider_id AND p.place < r.place))));
END;
$$;

-- Writes the ends of attempts in one statement, each under its own token; what has lost its job is kept as late evidence.
-- Called by workers. Locks the jobs, then what depends on them, then providers. An end that is written twice changes nothing.
--
-- `= ANY (ARRAY[…])` keeps a merge join away, whose plan a session could have made for an empty table: it would read the
-- whole index of a full one. The state is asked in a way that no partial index answers, for the same reason.
DROP FUNCTION onboarding.complete;
CREATE FUNCTION onboarding.complete(
    job_ids bigint[], tokens bigint[], workers text[], claimed_ats text[], attempt_numbers smallint[],
    did_steps text[], outcomes text[], states text[], next_steps text[], delays_ms bigint[], counted boolean[],
    reached boolean[], proven boolean[], key_uses text[], mute_counts integer[], http_statuses integer[],
    request_ids text[], provider_ids text[], provider_statuses text[], errors text[], reasons text[],
    sent_ages_ms bigint[], holds_ms bigint[], keys text[], digests bytea[], request_digests bytea[])
RETURNS TABLE (job_id bigint, claim_token bigint, written boolean, job_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Pinned: rows are found by key. Hash joins stay on for the batch's own rows.
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan SET jit = off
-- A row that somebody holds is left for later (`unlocked_jobs`): it must not keep the others from being written.
SET lock_timeout = '250ms' AS $$
#variable_conflict use_column
DECLARE
    ids bigint[];
    fences bigint[];
    became text[];
    taken bigint[] := onboarding.taken_ids(job_ids, outcomes, provider_ids);
    late boolean;
    ordered boolean;
    ended bigint[];
    concerned text[];
BEGIN
    WITH result AS (
        SELECT r.job_id, r.token, r.worker, r.claimed_at, r.attempt, r.did_step, r.outcome, r.next_step, r.delay_ms,
            r.counted, r.reached, r.proven, r.key_use, r.mute_count, r.http_status, r.request_id, r.provider_id,
            r.provider_status, r.error, r.sent_age_ms, r.key, r.digest, r.request_digest,
            CASE WHEN r.job_id = ANY (taken) THEN 'uncertain' ELSE r.state END AS state,
            CASE WHEN r.job_id = ANY (taken) THEN 'the provider answered with the id of a record that another job has'
                ELSE r.reason END AS reason
        FROM unnest(job_ids, tokens, workers, claimed_ats, attempt_numbers, did_steps, outcomes, states, next_steps,
            delays_ms, counted, reached, proven, key_uses, mute_counts, http_statuses, request_ids, provider_ids,
            provider_statuses, errors, reasons, sent_ages_ms, keys, digests, request_digests)
        AS r (job_id, token, worker, claimed_at, attempt, did_step, outcome, state, next_step, delay_ms, counted, reached,
            proven, key_use, mute_count, http_status, request_id, provider_id, provider_status, error, reason,
            sent_age_ms, key, digest, request_digest)
    ), written AS (
        UPDATE onboarding.jobs j
        SET state = onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven)),
            step = r.next_step,
            attempt = j.attempt - CASE WHEN j.step = 'create' AND NOT r.counted THEN 1 ELSE 0 END,
            -- What is given back as it was claimed keeps its place; a throttle is the provider's matter, not the job's.
            backoff_step = CASE WHEN r.state = 'available' AND r.outcome <> 'throttled'
                    AND (r.outcome <> 'not_sent' OR r.counted OR r.delay_ms > 0)
                THEN least(j.backoff_step + 1, 1000) ELSE j.backoff_step END,
            -- What was cancelled is looked up at once, however long it would have waited to be sent again.
            run_at = CASE WHEN r.state = 'available' AND (r.outcome <> 'not_sent' OR r.counted OR r.delay_ms > 0)
                THEN now() + CASE WHEN j.cancel_requested_at IS NOT NULL AND r.next_step = 'create' THEN 0
                    ELSE r.delay_ms END * interval '1 ms' ELSE j.run_at END,
            -- A key that a fenced-out worker has used since the claim stays, and so does its age.
            first_sent_at = CASE WHEN r.key_use <> 'same'
                    AND NOT onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven) THEN NULL
                WHEN r.reached THEN coalesce(j.first_sent_at, j.claimed_at) ELSE j.first_sent_at END,
            -- A byte of what was not answered can have left until now.
            last_sent_at = CASE WHEN NOT onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven) THEN NULL
                WHEN r.reached THEN now() ELSE j.last_sent_at END,
            request_sha256 = CASE WHEN r.key_use <> 'same' THEN NULL
                WHEN r.reached THEN coalesce(j.request_sha256, r.request_digest) ELSE j.request_sha256 END,
            mute_look_ups = coalesce(r.mute_count, j.mute_look_ups),
            mute_since = CASE WHEN coalesce(r.mute_count, j.mute_look_ups) = 0 THEN NULL ELSE coalesce(j.mute_since, now()) END,
            provider_id = CASE WHEN r.state = 'uncertain' THEN j.provider_id ELSE coalesce(r.provider_id, j.provider_id) END,
            provider_status = coalesce(r.provider_status, j.provider_status),
            last_outcome = r.outcome, last_http_status = r.http_status,
            last_create_status = CASE WHEN r.key_use <> 'same' THEN NULL
                WHEN r.did_step = 'create' AND r.outcome NOT IN ('not_sent', 'invalid_payload') THEN r.http_status
                ELSE j.last_create_status END,
            last_error = CASE WHEN r.state = 'completed' THEN NULL
                WHEN r.state <> 'cancelled' AND onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                    onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven)) = 'cancelled'
                    THEN 'cancelled as asked; the last attempt ended ' || r.outcome
                ELSE coalesce(r.error || ': ', '') || r.reason END,
            lease_expires_at = NULL, updated_at = now(),
            finished_at = CASE WHEN onboarding.state_after(r.state, j.cancel_requested_at IS NOT NULL,
                onboarding.is_in_doubt(j.last_sent_at, j.late_doubt, r.reached, r.proven))
                IN ('completed', 'failed', 'cancelled') THEN now() END
        FROM result r
        WHERE j.id = ANY (ARRAY[r.job_id]) AND j.claim_token = r.token AND coalesce(j.state, '') = 'running'
        RETURNING j.id, j.claim_token AS token, j.provider, j.state, j.run_at, j.step, j.order_key, r.worker, r.claimed_at,
            r.sent_age_ms, r.key, r.http_status, r.attempt, r.did_step, r.outcome, r.provider_id, r.provider_status,
            r.request_id, r.error, r.digest, CASE WHEN j.state = 'cancelled' THEN j.last_error ELSE r.reason END AS reason
    ), journal AS (
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, sent_at, next_run_at, idempotency_key,
            http_status, attempt, step, worker, outcome, next_state, next_step, provider_id, provider_status,
            request_id, error, reason, body_sha256)
        SELECT w.id, w.token, w.claimed_at::timestamptz, now() - w.sent_age_ms * interval '1 ms',
            CASE WHEN w.state = 'available' THEN w.run_at END, w.key::uuid, w.http_status, w.attempt, w.did_step,
            w.worker, w.outcome, w.state, CASE WHEN w.state = 'available' THEN w.step END, w.provider_id,
            w.provider_status, w.request_id, w.error, w.reason, w.digest
        FROM written w
    ), counted AS (
        INSERT INTO onboarding.ended (provider, completed, failed)
        SELECT w.provider, count(*) FILTER (WHERE w.state = 'completed'), count(*) FILTER (WHERE w.state = 'failed')
        FROM written w WHERE w.state IN ('completed', 'failed') GROUP BY w.provider
    )
    SELECT array_agg(w.id), array_agg(w.token), array_agg(w.state), bool_or(w.order_key IS NOT NULL), array_agg(DISTINCT w.provider)
    INTO ids, fences, became, ordered, concerned
    FROM written w;
    late := cardinality(job_ids) > coalesce(cardinality(ids), 0);
    RETURN QUERY SELECT w.id, w.token, true, w.state FROM unnest(ids, fences, became) AS w (id, token, state);
    IF late THEN
        RETURN QUERY SELECT * FROM onboarding.keep_late(job_ids, tokens, workers, claimed_ats, attempt_numbers,
            did_steps, outcomes, reached, http_statuses, request_ids, provider_ids, provider_statuses, errors,
            sent_ages_ms, keys, digests, coalesce(fences, '{}'));
    END IF;

    IF 'new' = ANY (key_uses) THEN PERFORM onboarding.rotate_keys(job_ids, tokens, key_uses); END IF;
    IF late OR 'uncertain' = ANY (became) THEN PERFORM onboarding.settle_late_successes(job_ids); END IF;
    IF 'adopted' = ANY (outcomes) THEN PERFORM onboarding.note_shared_ids(ids); END IF;
    SELECT array_agg(s.id) INTO ended FROM (
        SELECT d.after_job_id AS id FROM onboarding.jobs d
        WHERE d.after_job_id = ANY (job_ids) AND coalesce(d.state, '') = 'blocked'
        UNION
        SELECT j.id FROM onboarding.jobs j
        WHERE ordered AND j.id = ANY (job_ids) AND j.order_key IS NOT NULL AND j.state IN ('completed', 'failed', 'cancelled')) s;
    IF ended IS NOT NULL THEN PERFORM onboarding.settle_dependents(ended); END IF;
    PERFORM onboarding.note_provider_health(job_ids, tokens, outcomes, http_statuses, holds_ms, concerned);
END;
$$;

-- Cancels a job and returns its state afterwards. From then on nothing that creates is sent for it: what may exist at the
-- provider is found out by the job's next claim, and the job ends `completed` if the record is there, else `cancelled`, or
-- `uncertain` where nothing can tell. A call that is running is not interrupted.
CREATE OR REPLACE FUNCTION onboarding.cancel(job_id bigint, reason text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    why text := left(cancel.reason, 500);
    new_state text;
BEGIN
    IF job.state IN ('completed', 'failed', 'cancelled') THEN
        RAISE EXCEPTION 'onboarding: job % is % already', job.id, job.state USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF job.state = 'uncertain' THEN
        RAISE EXCEPTION 'onboarding: job % is uncertain; say what happened with resolve()', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF job.state = 'running' OR job.last_sent_at IS NOT NULL THEN
        UPDATE onboarding.jobs j
        SET cancel_requested_at = now(), updated_at = now(),
            state = CASE WHEN j.state = 'running' THEN 'running' ELSE 'available' END,
            run_at = CASE WHEN j.state = 'running' THEN j.run_at ELSE least(j.run_at, now()) END
        WHERE j.id = job.id
        RETURNING j.state INTO new_state;
        PERFORM onboarding.log_state_change(job.id, job.state, new_state, 'cancel requested: ' || coalesce(why, ''));
        PERFORM pg_notify('onboarding_jobs', '');
        RETURN new_state;
    END IF;
    UPDATE onboarding.jobs j
    SET state = 'cancelled', cancel_requested_at = now(), finished_at = now(), updated_at = now(),
        last_error = 'cancelled' || coalesce(': ' || why, '')
    WHERE j.id = job.id;
    PERFORM onboarding.log_state_change(job.id, job.state, 'cancelled', why);
    PERFORM onboarding.notify_event(job.id, 'cancelled');
    PERFORM onboarding.settle_dependents(ARRAY[job.id]);
    RETURN 'cancelled';
END;
$$;

-- Whether a job that has ended may have a record at its provider all the same: a fenced-out worker brought a success, or a
-- call of which nobody knows what it did, after the job had ended.
CREATE FUNCTION onboarding.may_exist(job onboarding.jobs) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT job.last_sent_at IS NOT NULL OR job.late_doubt
        OR EXISTS (SELECT 1 FROM onboarding.late_successes l WHERE l.job_id = job.id);
$$;

-- Makes a failed or cancelled job available again and returns the key that it will use: the old one, unless the provider
-- refused the request for good or the payload is replaced. What may exist is looked up first.
CREATE OR REPLACE FUNCTION onboarding.retry(job_id bigint, reason text DEFAULT NULL, payload jsonb DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    kind onboarding.kinds;
    after_state text;
    new_payload jsonb := coalesce(retry.payload, job.payload);
    -- As text, since that is what is sent: numbers that are equal may be written differently.
    is_new boolean := new_payload::text <> job.payload::text;
    may_exist boolean := onboarding.may_exist(job);
    is_rekeyed boolean := NOT may_exist AND (is_new OR job.last_outcome IN ('rejected', 'invalid_payload'));
    new_key uuid := CASE WHEN is_rekeyed THEN gen_random_uuid() ELSE job.idempotency_key END;
BEGIN
    IF job.state NOT IN ('failed', 'cancelled') THEN
        RAISE EXCEPTION 'onboarding: job % is %; only a failed or cancelled job can be retried', job.id, job.state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT * INTO kind FROM onboarding.kinds k WHERE k.kind = job.kind;
    IF job.after_job_id IS NOT NULL THEN
        SELECT a.state INTO after_state FROM onboarding.jobs a WHERE a.id = job.after_job_id;
        IF after_state <> 'completed' THEN
            RAISE EXCEPTION 'onboarding: job % waits for job %, which is %; retry that one first', job.id, job.after_job_id, after_state
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END IF;
    IF retry.payload IS NOT NULL THEN
        IF jsonb_typeof(retry.payload) <> 'object' THEN PERFORM onboarding.refuse('payload', 'must be a JSON object'); END IF;
        IF octet_length(retry.payload::text) > 134217728 THEN PERFORM onboarding.refuse('payload', 'is larger than 128 MiB'); END IF;
        PERFORM onboarding.check_payload(job.kind, retry.payload);
    END IF;
    IF may_exist AND kind.lost_answer = 'none' THEN
        RAISE EXCEPTION 'onboarding: job % may have been sent and its provider cannot tell; it cannot be retried', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF may_exist AND is_new THEN
        RAISE EXCEPTION 'onboarding: job % may exist at the provider as it was sent; retry it without a payload and cancel it: that looks it up', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE onboarding.jobs j
    SET state = 'available', attempt = 0, backoff_step = 0, cancel_requested_at = NULL, finished_at = NULL,
        -- What its caller scheduled for later stays so; the wait of a backoff does not.
        run_at = greatest(now(), CASE WHEN j.backoff_step = 0 THEN j.run_at END,
            onboarding.not_after(j.denied_at, now()) + onboarding.effect_horizon(j.provider)),
        expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
        idempotency_key = new_key, payload = new_payload, payload_bytes = octet_length(new_payload::text),
        body_sha256 = CASE WHEN is_new THEN NULL ELSE j.body_sha256 END,
        step = CASE WHEN may_exist THEN 'look_up' ELSE 'create' END,
        first_sent_at = CASE WHEN NOT is_rekeyed THEN j.first_sent_at END,
        last_sent_at = CASE WHEN may_exist THEN clock_timestamp() END,
        request_sha256 = CASE WHEN NOT is_rekeyed THEN j.request_sha256 END,
        mute_look_ups = 0, mute_since = NULL, last_http_status = NULL, last_create_status = NULL, updated_at = now(),
        is_behind = j.order_key IS NOT NULL AND EXISTS (
            SELECT 1 FROM onboarding.jobs o
            WHERE o.provider = j.provider AND o.order_key = j.order_key AND o.id < j.id
              AND o.state IN ('blocked', 'available', 'running', 'waiting', 'uncertain'))
    WHERE j.id = job.id;
    PERFORM onboarding.advance_order_keys(ARRAY[job.id]);
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    VALUES (job.id, job.state, 'available', session_user, 'retry' || coalesce(': ' || reason, ''), job.idempotency_key, new_key);
    PERFORM pg_notify('onboarding_jobs', '');
    RETURN new_key;
END;
$$;

-- Ends the doubt about an uncertain job by a person's verdict and returns the state afterwards. `happened`: the provider has
-- the record, under the id that is given. `did_not_happen`: it has none; the job is sent again under a new key, not before
-- the last request can no longer have its effect, for nobody can have seen a record that does not exist yet.
CREATE FUNCTION onboarding.resolve(job_id bigint, verdict text, provider_id text DEFAULT NULL, note text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job onboarding.jobs := onboarding.lock_job(job_id);
    new_state text;
BEGIN
    IF job.state <> 'uncertain' THEN
        RAISE EXCEPTION 'onboarding: job % is %; only an uncertain job can be resolved', job.id, job.state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF coalesce(btrim(note), '') = '' THEN
        PERFORM onboarding.refuse('note', 'is needed: say who looked where');
    END IF;
    IF verdict = 'happened' THEN
        IF coalesce(resolve.provider_id !~ (SELECT k.id_pattern FROM onboarding.kinds k WHERE k.kind = job.kind), true) THEN
            PERFORM onboarding.refuse('provider_id', 'is needed with the verdict happened, as the provider writes its ids');
        END IF;
        new_state := 'completed';
        UPDATE onboarding.jobs j
        SET state = 'completed', provider_id = resolve.provider_id, last_outcome = 'adopted', last_error = NULL,
            finished_at = now(), updated_at = now()
        WHERE j.id = job.id;
        PERFORM onboarding.note_shared_ids(ARRAY[job.id]);
    ELSIF verdict = 'did_not_happen' THEN
        new_state := CASE WHEN job.cancel_requested_at IS NULL THEN 'available' ELSE 'cancelled' END;
        UPDATE onboarding.jobs j
        SET state = new_state, backoff_step = 0,
            -- Looked for once more by then, where that is possible: what came after the verdict is found.
            step = CASE WHEN (SELECT k.lost_answer FROM onboarding.kinds k WHERE k.kind = job.kind) = 'none'
                THEN 'create' ELSE 'look_up' END,
            run_at = greatest(now(), onboarding.not_after(job.last_sent_at, now()) + onboarding.effect_horizon(job.provider)),
            first_sent_at = NULL, last_sent_at = NULL, last_create_status = NULL, request_sha256 = NULL,
            denied_at = greatest(job.denied_at, job.last_sent_at), mute_look_ups = 0, mute_since = NULL, attempt = least(j.attempt, j.max_attempts - 1),
            expires_at = CASE WHEN j.expires_at <= now() THEN NULL ELSE j.expires_at END,
            idempotency_key = gen_random_uuid(), updated_at = now(),
            finished_at = CASE WHEN new_state = 'cancelled' THEN now() END
        WHERE j.id = job.id;
        PERFORM pg_notify('onboarding_jobs', '');
    ELSE
        PERFORM onboarding.refuse('verdict', 'must be happened or did_not_happen');
    END IF;
    INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, reason, old_key, new_key)
    SELECT job.id, 'uncertain', new_state, session_user, verdict || ': ' || note, job.idempotency_key, j.idempotency_key
    FROM onboarding.jobs j WHERE j.id = job.id;
    PERFORM onboarding.notify_event(job.id, new_state);
    PERFORM onboarding.settle_dependents(ARRAY[job.id]);
    RETURN new_state;
END;
$$;

-- Resolves many uncertain jobs by one call: `verdicts` is a JSON array of objects with `job_id`, `verdict` and, for
-- `happened`, `provider_id`. Each stands alone: one row a verdict says what became of its job, or what is wrong with it.
CREATE FUNCTION onboarding.resolve_jobs(verdicts jsonb, note text) RETURNS TABLE (job_id bigint, state text, problem text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    item record;
BEGIN
    IF coalesce(jsonb_typeof(verdicts), '') <> 'array' OR jsonb_array_length(verdicts) > 10000 THEN
        PERFORM onboarding.refuse('verdicts', 'must be a JSON array of at most 10000 objects with job_id, verdict and provider_id');
    END IF;
    FOR item IN
        SELECT v.job_id, v.verdict, v.provider_id
        FROM jsonb_to_recordset(verdicts) AS v (job_id bigint, verdict text, provider_id text) ORDER BY v.job_id
    LOOP
        resolve_jobs.job_id := item.job_id; resolve_jobs.state := NULL; resolve_jobs.problem := NULL;
        BEGIN
            resolve_jobs.state := onboarding.resolve(item.job_id, item.verdict, item.provider_id, note);
        EXCEPTION WHEN check_violation OR object_not_in_prerequisite_state OR no_data_found THEN
            resolve_jobs.problem := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END;
$$;

REVOKE ALL ON FUNCTION onboarding.effect_horizon, onboarding.register_worker, onboarding.is_in_doubt, onboarding.state_after, onboarding.note_shared_ids, onboarding.mark_sent, onboarding.keep_late, onboarding.taken_ids, onboarding.complete,
    onboarding.may_exist, onboarding.not_after, onboarding.resolve, onboarding.resolve_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.register_worker, onboarding.mark_sent, onboarding.complete TO onboarding_worker;
GRANT EXECUTE ON FUNCTION onboarding.resolve, onboarding.resolve_jobs TO onboarding_operator;

INSERT INTO onboarding.migrations (version, name) VALUES (17, 'effects');
