-- Books `taken` calls against the rate that holds now, forgets a rate that refusals taught long ago, and records that a
-- claim probes an open circuit.
-- Callers: `claim`.
-- Locks: the provider's row, which `permits` holds already.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.use_permits(provider_name text, taken integer, probing boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers;
    t timestamptz := clock_timestamp();
    pace record;
    is_forgotten boolean;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name;
    SELECT * INTO pace FROM onboarding.pace(p, t);
    is_forgotten := p.adaptive_rate IS NOT NULL AND onboarding.learnt_rate(p, t) IS NULL;
    IF pace.rate IS NULL AND NOT probing AND NOT is_forgotten THEN RETURN; END IF;
    UPDATE onboarding.providers x
    SET rate_due_at = CASE WHEN pace.rate IS NOT NULL THEN greatest(onboarding.booked_until(p, t), t)
            + onboarding.rate_cell(pace.rate, pace.burst) * taken END,
        adaptive_rate = CASE WHEN is_forgotten THEN NULL ELSE x.adaptive_rate END,
        throttle_streak = CASE WHEN is_forgotten THEN 0 ELSE x.throttle_streak END,
        circuit = CASE WHEN probing THEN 'half_open' ELSE x.circuit END,
        circuit_probe_at = CASE WHEN probing THEN t + interval '60 s' ELSE x.circuit_probe_at END
    WHERE x.provider = provider_name;
    IF is_forgotten THEN
        INSERT INTO onboarding.provider_events (provider, actor, event, reason)
        VALUES (provider_name, session_user, 'unthrottled', 'no call was refused for long: no learnt rate any more');
    END IF;
END;
$$;
