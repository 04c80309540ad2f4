-- How many calls a provider with the row `p` may start now, or why none and for how long; no wait where a call must end
-- first. A stored moment that lies further ahead than it can have been set was written before the clock was set back:
-- it counts as passed.
-- Callers: `permits`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.allowance(
    p onboarding.providers, wanted integer, t timestamptz, OUT allowed integer, OUT hint text, OUT wait_ms integer,
    OUT probing boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    pace record;
    cell interval;
    free_at timestamptz;
    in_flight integer;
BEGIN
    allowed := 0; probing := false; wait_ms := 1000;
    IF p.paused_until > t THEN
        hint := 'paused'; wait_ms := onboarding.milliseconds_until(p.paused_until, t); RETURN;
    END IF;
    IF p.held_until > t AND onboarding.hold_end(p, t) IS NOT NULL THEN
        hint := 'held'; wait_ms := onboarding.milliseconds_until(p.held_until, t); RETURN;
    END IF;
    allowed := wanted;
    IF p.circuit <> 'closed' THEN
        IF p.circuit_probe_at > t AND p.circuit_probe_at <= t + interval '5 min' THEN
            allowed := 0; hint := 'circuit'; wait_ms := onboarding.milliseconds_until(p.circuit_probe_at, t); RETURN;
        END IF;
        probing := true; allowed := least(allowed, 1);
    END IF;
    in_flight := CASE WHEN probing OR p.call_window IS NULL THEN p.max_in_flight
        ELSE least(p.max_in_flight, floor(onboarding.trial_window(p, t))) END;
    IF in_flight IS NOT NULL THEN
        -- Counted from the rows themselves: a counter would leak when a worker dies.
        allowed := least(allowed, in_flight - (
            SELECT count(*) FROM onboarding.jobs j
            WHERE j.provider = p.provider AND j.state = 'running'
              AND j.claimed_at >= (SELECT m.running_since FROM onboarding.maintenance m)));
        IF allowed <= 0 THEN allowed := 0; hint := 'in_flight'; wait_ms := NULL; RETURN; END IF;
    END IF;
    IF p.rate_per_second IS NULL AND p.adaptive_rate IS NULL THEN RETURN; END IF;
    SELECT * INTO pace FROM onboarding.pace(p, t);
    IF pace.rate IS NOT NULL THEN
        cell := onboarding.rate_cell(pace.rate, pace.burst);
        free_at := greatest(onboarding.booked_until(p, t), t);
        allowed := least(allowed, 1 + floor(extract(epoch FROM t - free_at + cell * (pace.burst - 1))
            / extract(epoch FROM cell))::integer);
        IF allowed <= 0 THEN
            allowed := 0; hint := 'rate';
            wait_ms := onboarding.milliseconds_until(free_at - cell * (pace.burst - 1), t);
        END IF;
    END IF;
END;
$$;
