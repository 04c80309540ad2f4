-- Opens or closes a provider's circuit, or schedules its next probe, by what ended calls told. The moments are those of the last
-- claim whose call was refused for its credentials, was answered, ended in doubt, or ended at all; `refused_before`: no refused
-- job was refused for the first time, so that a single bad job does not open the circuit again and again.
-- Callers: `note_provider_health`.
-- Locks: the provider's row, which the caller holds already.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.note_circuit(
    provider_name text, refused timestamptz, refused_before boolean, answered timestamptz, doubtful timestamptz,
    claimed timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers;
    t timestamptz := clock_timestamp();
    since timestamptz;
    news text;
    reason text;
BEGIN
    SELECT * INTO p FROM onboarding.providers x WHERE x.provider = provider_name FOR NO KEY UPDATE;
    -- Calls that were under way when the circuit opened are no probes.
    since := CASE WHEN p.circuit_opened_at <= t THEN p.circuit_opened_at ELSE '-infinity' END;
    reason := CASE WHEN refused IS NOT NULL THEN 'credentials refused' ELSE 'ambiguous answers' END;
    news := CASE
        WHEN p.circuit = 'closed' AND (refused IS NOT NULL AND NOT refused_before OR p.doubt >= 3) THEN 'opens'
        WHEN p.circuit <> 'half_open' THEN NULL
        WHEN answered > since THEN 'closes'
        WHEN refused > since OR (doubtful > since AND p.call_window IS NOT NULL) THEN 'opens'
        -- A probe that called nobody, or was not answered, told nothing: the next one goes soon.
        WHEN claimed > since THEN 'waits' END;
    IF news IS NULL THEN RETURN; END IF;
    UPDATE onboarding.providers x
    SET circuit = CASE news WHEN 'closes' THEN 'closed' ELSE 'open' END,
        circuit_reason = CASE news WHEN 'opens' THEN reason WHEN 'waits' THEN x.circuit_reason END,
        circuit_opened_at = CASE WHEN news = 'closes' THEN NULL WHEN x.circuit = 'closed' THEN t ELSE x.circuit_opened_at END,
        circuit_failures = CASE news WHEN 'opens' THEN x.circuit_failures + 1 WHEN 'waits' THEN x.circuit_failures ELSE 0 END,
        -- 5 s, 10 s, 20 s … 5 min between probes.
        circuit_probe_at = CASE news WHEN 'opens' THEN t + least(interval '5 s' * 2 ^ least(x.circuit_failures, 10), interval '5 min')
            WHEN 'waits' THEN t + interval '1 s' END,
        -- One more doubtful end opens it again.
        call_window = CASE WHEN news = 'closes' AND x.call_window > 1 THEN 1 ELSE x.call_window END,
        doubt = CASE WHEN news = 'closes' THEN least(x.doubt, 2) ELSE x.doubt END, updated_at = t
    WHERE x.provider = p.provider;
    IF news <> 'waits' THEN
        INSERT INTO onboarding.provider_events (provider, actor, event, reason)
        VALUES (p.provider, session_user, CASE news WHEN 'opens' THEN 'circuit_open' ELSE 'circuit_closed' END,
            CASE news WHEN 'opens' THEN reason ELSE 'the probe was answered' END);
    END IF;
END;
$$;
