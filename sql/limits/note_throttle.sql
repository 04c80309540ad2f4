-- Records that calls of a provider were refused because of their number, the last of them claimed at `claimed_at`;
-- `asked_ms`: the wait that it asked for, null without. A refusal of a call that was claimed before the last such
-- record says nothing new: a storm is one signal. Each signal in a row doubles the hold, 0.25 s to 60 s; calls that
-- were let in between make it shorter. The rate goes down to what was let in since the signal before, by half at most,
-- and grows again from the end of the hold, slowly at first.
-- Callers: `note_provider_health`.
-- Locks: the provider's row, which `note_provider_health` holds already.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.note_throttle(provider_name text, claimed_at timestamptz, asked_ms bigint) RETURNS void
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
