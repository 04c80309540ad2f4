-- Limits that adapt: what a provider's refusals teach about its rate, a trial for providers whose lost answers nothing can
-- tell about, and clocks that jump.
ALTER TABLE onboarding.providers
    -- How often calls were refused in a row; the hold doubles with each. Null rate: nothing is known of one.
    ADD throttle_streak integer NOT NULL DEFAULT 0,
    ADD throttled_at timestamptz,
    ADD adaptive_rate double precision,
    -- In how many seconds the learnt rate doubles, and since when what is answered counts for it.
    ADD rate_doubling double precision NOT NULL DEFAULT 4,
    ADD measured_since timestamptz,
    -- Calls in flight until enough have ended well, as of `tried_at`; null where every lost answer can be asked for.
    ADD call_window double precision,
    ADD doubt double precision NOT NULL DEFAULT 0,
    ADD tried_at timestamptz;

ALTER TABLE onboarding.maintenance
    -- Ages from before are not known: nobody watched the clock, or it jumped.
    ADD clock_watched_since timestamptz,
    -- What the clock showed when a worker last signed off.
    ADD clock_seen_at timestamptz,
    -- What the clock may have shown before it was last set back.
    ADD clock_set_back_at timestamptz;

-- Until when the provider is held: null for a hold that was set before the clock was set back.
CREATE FUNCTION onboarding.hold_end(p onboarding.providers, t timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p.held_until <= t + interval '24 h' AND (p.throttled_at IS NULL OR p.throttled_at <= t + interval '1 s')
        THEN p.held_until END;
$$;

-- The rate that refusals taught, as it has grown since the last hold, at most a hundred thousand calls a second; null: none, or
-- none for five minutes.
CREATE FUNCTION onboarding.learnt_rate(p onboarding.providers, t timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT least(100000, p.adaptive_rate * (1 + 0.25 * s.age / p.rate_doubling + (s.age / p.rate_doubling) ^ 3))
    FROM (SELECT greatest(0, extract(epoch FROM t - greatest(p.throttled_at, onboarding.hold_end(p, t))))::double precision) AS s (age)
    -- `least` ignores null.
    WHERE s.age <= 300 AND p.adaptive_rate IS NOT NULL;
$$;

-- The rate and burst that hold now: the operator's, or what refusals taught if that is less. Null: none.
CREATE FUNCTION onboarding.pace(p onboarding.providers, t timestamptz, OUT rate double precision, OUT burst integer)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT least(p.rate_per_second, l.rate),
        CASE WHEN l.rate < p.rate_per_second OR p.rate_per_second IS NULL
            THEN least(p.burst, 1 + (l.rate / 20)::integer) ELSE coalesce(p.burst, 1) END
    FROM (SELECT CASE WHEN p.adaptive_rate IS NOT NULL THEN onboarding.learnt_rate(p, t) END) AS l (rate);
$$;

-- Until when calls are booked; null for what is further ahead than can have been booked: under a slower rate, or before the
-- clock was set back.
CREATE FUNCTION onboarding.booked_until(p onboarding.providers, t timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p.rate_due_at <= t + onboarding.rate_cell(r.rate, r.burst) * (2 * r.burst) + interval '1 s' THEN p.rate_due_at END
    FROM onboarding.pace(p, t) AS r;
$$;

-- How many calls may be in flight while it is not known that the provider is well; null: any number. Each that ends well
-- lets an eighth of a call more in, each that ends in doubt halves them, and a minute without either begins anew.
CREATE FUNCTION onboarding.trial_window(p onboarding.providers, t timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p.tried_at BETWEEN t - interval '1 min' AND t + interval '1 s' THEN CASE WHEN p.call_window < 64 THEN p.call_window END
        WHEN p.call_window IS NOT NULL THEN least(p.call_window, 4) END;
$$;

-- Notes what calls that ended told about a provider on trial: `answers` definite ends and `doubts` uncertain ones.
-- Three doubts more than a tenth of the answers, within ten minutes of each other, open the circuit.
CREATE FUNCTION onboarding.note_trial(provider_name text, answers bigint, doubts bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE onboarding.providers p
    SET call_window = CASE WHEN doubts = 0 THEN least(64, w.size + answers * 0.125) ELSE greatest(1, w.size / 2 ^ least(doubts, 10)) END,
        doubt = greatest(0, CASE WHEN p.tried_at BETWEEN clock_timestamp() - interval '10 min' AND clock_timestamp() THEN p.doubt ELSE 0 END
            + doubts - answers * 0.1),
        tried_at = clock_timestamp()
    FROM (SELECT coalesce(onboarding.trial_window(x, clock_timestamp()), 64) AS size
        FROM onboarding.providers x WHERE x.provider = provider_name) w
    WHERE p.provider = provider_name AND answers + doubts > 0
      -- Where all is well it is written now and then only.
      AND (doubts > 0 OR p.doubt > 0 OR p.call_window < 64
        OR p.tried_at NOT BETWEEN clock_timestamp() - interval '5 s' AND clock_timestamp() OR p.tried_at IS NULL);
$$;

-- Notes that calls of a provider were refused for their number, the last of them claimed at `claimed_at`; `asked_ms`: the
-- wait that it asked for, null without. What was claimed before the last such note says nothing new: a storm is one signal.
-- Each signal in a row doubles the hold, 0.25 s to 60 s; calls that were let in between make it shorter. The rate goes down
-- to what was let in since the signal before, by half at most, and grows again from the end of the hold, slowly at first.
CREATE FUNCTION onboarding.note_throttle(provider_name text, claimed_at timestamptz, asked_ms bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    p onboarding.providers;
    t timestamptz;
    known double precision;
    is_first boolean;
    is_news boolean;
    seen record;
    hold interval;
    measured double precision;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name FOR NO KEY UPDATE;
    t := clock_timestamp();
    known := onboarding.learnt_rate(p, t);
    is_first := known IS NULL OR p.throttled_at > t;
    is_news := is_first OR note_throttle.claimed_at > p.throttled_at;
    -- The last ends of any provider, so that the look is bounded.
    SELECT count(*) FILTER (WHERE f.provider = provider_name) AS ends, min(f.finished_at) AS since, count(*) AS looked,
        count(*) FILTER (WHERE f.provider = provider_name AND f.finished_at > p.throttled_at) AS new_ends,
        bool_or(f.provider = provider_name AND f.claimed_at > p.throttled_at) AS let_in
    INTO seen
    FROM (
        SELECT j.finished_at, j.provider, j.claimed_at FROM onboarding.jobs j
        WHERE j.finished_at BETWEEN CASE WHEN is_first THEN t - interval '10 s' ELSE p.measured_since END AND t
        ORDER BY j.finished_at DESC LIMIT 2000) f;
    IF is_first THEN
        p.throttle_streak := 1;
        p.rate_doubling := 4;
        p.measured_since := coalesce(seen.since, t);
    ELSIF is_news AND seen.let_in THEN
        p.throttle_streak := greatest(1, p.throttle_streak - 2);
        p.rate_doubling := least(p.rate_doubling * 1.6, greatest(16, least(300, 30 / p.adaptive_rate)));
        p.measured_since := p.throttled_at;
        seen.ends := seen.new_ends;
    ELSIF is_news THEN
        p.throttle_streak := least(p.throttle_streak + 1, 30);
    END IF;
    measured := seen.ends / CASE WHEN seen.looked = 2000 THEN greatest(0.1, extract(epoch FROM t - seen.since))
        ELSE greatest(1, extract(epoch FROM t - p.measured_since)) END;
    p.adaptive_rate := CASE
        WHEN is_first THEN measured
        -- What has been shut for long tells nothing about its rate.
        WHEN is_news THEN CASE WHEN seen.let_in OR p.measured_since > t - interval '2 min'
            THEN least(greatest(measured, known / 2), known * 0.95) ELSE p.adaptive_rate END
        -- Others of the same storm were let in.
        WHEN p.throttle_streak = 1 THEN greatest(p.adaptive_rate, measured)
        ELSE p.adaptive_rate END;
    hold := greatest(
        CASE WHEN is_news THEN least(60, 0.25 * 2 ^ (p.throttle_streak - 1)) * (0.8 + 0.4 * random()) * interval '1 s' ELSE interval '0' END,
        CASE WHEN asked_ms > 0 THEN least(asked_ms, 86400000) * interval '1 ms' END);
    UPDATE onboarding.providers x
    SET throttle_streak = p.throttle_streak, throttled_at = CASE WHEN is_news THEN t ELSE p.throttled_at END,
        adaptive_rate = greatest(0.05, p.adaptive_rate), rate_doubling = p.rate_doubling, measured_since = p.measured_since,
        held_until = greatest(onboarding.hold_end(p, t), t + hold), updated_at = t
    WHERE x.provider = provider_name;
    IF is_first THEN
        INSERT INTO onboarding.provider_events (provider, actor, event, reason)
        VALUES (provider_name, session_user, 'throttled', 'calls were refused for their number: held, then slowed');
    END IF;
END;
$$;

-- Which due job probes an open circuit: none that was refused itself while there is another, for it may be refused alone.
-- Any of the first hundred of each priority: bad jobs that stand together, or are many, do not keep the circuit open.
CREATE FUNCTION onboarding.probe_job(provider_name text, t timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
    SELECT d.id
    FROM generate_series(0, 9) AS p (priority)
    CROSS JOIN LATERAL (
        SELECT q.id FROM onboarding.jobs q
        WHERE q.state = 'available' AND NOT q.is_behind AND q.provider = provider_name AND q.priority = p.priority AND q.run_at <= t
          AND (q.expires_at IS NULL OR q.expires_at > t OR q.last_sent_at IS NOT NULL) AND q.last_outcome IS DISTINCT FROM 'unauthorized'
        ORDER BY q.run_at, q.id LIMIT 100) d
    ORDER BY random() LIMIT 1;
$$;

-- How long ago a request may last have been sent, in milliseconds: never longer than the clock has been watched, for a jump
-- ahead makes young sends look old. One in the future was sent before the clock was set back, if that is known.
CREATE FUNCTION onboarding.sent_age_ms(last_sent_at timestamptz, t timestamptz, watched_since timestamptz, set_back_at timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN last_sent_at IS NULL THEN NULL WHEN last_sent_at > t AND last_sent_at > coalesce(set_back_at, t) THEN 0
        ELSE greatest(0, onboarding.milliseconds(t - greatest(CASE WHEN last_sent_at <= t THEN last_sent_at END, watched_since))) END;
$$;

-- How old a key is, in milliseconds: a hundred years where the clock was set back since its first use, for it may be older
-- than it looks.
CREATE FUNCTION onboarding.key_age_ms(first_sent_at timestamptz, t timestamptz, set_back_at timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN first_sent_at > t OR first_sent_at < set_back_at THEN 3155760000000 ELSE onboarding.milliseconds(t - first_sent_at) END;
$$;

-- A lease that was given in the future was given before the clock was set back: it ends when it would if given now.
CREATE FUNCTION onboarding.shorten_leases(t timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE onboarding.worker_leases w SET lease_expires_at = t + (w.lease_expires_at - w.last_seen_at), last_seen_at = t
    WHERE w.last_seen_at > t + interval '1 s' AND w.lease_expires_at > w.last_seen_at;
$$;

-- Notes that the clock jumped by `jump_ms`, ahead or, if negative, back; every worker that sees a jump calls it. Ages from
-- before are not trusted any more, and waits that were set before a jump back begin anew. Returns how many jobs it moved: at
-- most 5000 at a time, to be called again.
CREATE FUNCTION onboarding.note_clock_jump(jump_ms bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    t timestamptz := clock_timestamp();
    moved integer;
BEGIN
    UPDATE onboarding.maintenance m
    SET clock_watched_since = t,
        clock_set_back_at = CASE WHEN jump_ms < 0
            THEN greatest(m.clock_set_back_at, t + least(-jump_ms, 172800000) * interval '1 ms') ELSE m.clock_set_back_at END;
    IF jump_ms >= 0 THEN RETURN 0; END IF;
    -- All but what a caller has asked for at a later time, and nobody has tried yet.
    UPDATE onboarding.jobs j SET run_at = t + greatest(interval '0', j.run_at - j.updated_at), updated_at = t
    WHERE j.id = ANY (ARRAY(
        SELECT q.id FROM onboarding.jobs q
        WHERE q.state = 'available' AND q.run_at > t AND q.updated_at > t
          AND (q.last_outcome IS NOT NULL OR q.run_at <= q.updated_at)
        LIMIT 5000 FOR NO KEY UPDATE SKIP LOCKED));
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved > 0 THEN PERFORM pg_notify('onboarding_jobs', ''); END IF;
    RETURN moved;
END;
$$;

CREATE OR REPLACE VIEW onboarding.queue_health AS
SELECT q.*, coalesce(p.paused_until > now(), false) AS paused, p.circuit, p.circuit_reason,
    CASE WHEN onboarding.hold_end(p, clock_timestamp()) > now() THEN p.held_until END AS held_until,
    onboarding.learnt_rate(p, clock_timestamp()) AS adaptive_rate
FROM onboarding.queue_counts() q
JOIN onboarding.providers p ON p.provider = q.provider;

REVOKE ALL ON FUNCTION onboarding.hold_end, onboarding.learnt_rate, onboarding.pace, onboarding.booked_until, onboarding.trial_window,
    onboarding.note_trial, onboarding.note_throttle, onboarding.probe_job, onboarding.sent_age_ms, onboarding.key_age_ms,
    onboarding.shorten_leases, onboarding.note_clock_jump FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.note_clock_jump TO onboarding_worker;
-- For readers of `providers` and `queue_health`.
GRANT EXECUTE ON FUNCTION onboarding.hold_end, onboarding.learnt_rate TO onboarding_operator, onboarding_monitor, onboarding_worker;

INSERT INTO onboarding.migrations (version, name) VALUES (19, 'limits');
