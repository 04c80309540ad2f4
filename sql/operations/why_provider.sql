-- Why no job of a provider can be claimed now: a row per reason, as `why` returns them.
-- Callers: `why`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.why_provider(provider_name text) RETURNS TABLE (reason text, detail text, until timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    p onboarding.providers;
    running bigint;
    in_flight integer;
    pace record;
    rate_free_at timestamptz;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name;
    IF p.paused_until > now() THEN
        RETURN QUERY SELECT 'paused', coalesce('provider paused: ' || p.pause_reason, 'provider paused'), p.paused_until;
    END IF;
    IF onboarding.hold_end(p, clock_timestamp()) > now() THEN
        RETURN QUERY SELECT 'held', format('the provider refuses calls for now, %s times in a row', greatest(p.throttle_streak, 1)), p.held_until;
    END IF;
    IF p.circuit <> 'closed' THEN
        RETURN QUERY SELECT 'circuit_open', p.circuit_reason, p.circuit_probe_at;
    END IF;
    in_flight := least(p.max_in_flight, floor(onboarding.trial_window(p, clock_timestamp())));
    IF in_flight IS NOT NULL THEN
        SELECT count(*) INTO running FROM onboarding.jobs j WHERE j.provider = provider_name AND j.state = 'running';
        IF running >= in_flight THEN
            RETURN QUERY SELECT 'concurrency_limit', format('%s of %s calls are in flight', running, in_flight)
                || CASE WHEN in_flight < coalesce(p.max_in_flight, in_flight + 1) THEN ': more when some have ended well' ELSE '' END, NULL::timestamptz;
        END IF;
    END IF;
    -- When the next call is allowed, as `permits` reckons: a burst may be ahead of its time.
    SELECT * INTO pace FROM onboarding.pace(p, clock_timestamp());
    rate_free_at := onboarding.booked_until(p, clock_timestamp()) - onboarding.rate_cell(pace.rate, pace.burst) * (pace.burst - 1);
    IF rate_free_at > now() THEN
        RETURN QUERY SELECT 'rate_limit', format('%s calls a second are used up', pace.rate::numeric(10, 3)::double precision)
            || CASE WHEN pace.rate IS DISTINCT FROM p.rate_per_second THEN ': the provider refused more' ELSE '' END, rate_free_at;
    END IF;
END;
$$;
