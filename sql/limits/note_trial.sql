-- Records what calls that ended told about a provider on trial: `answers` definite ends and `doubts` uncertain ones.
-- Three doubts more than a tenth of the answers, within ten minutes of each other, open the circuit.
-- Callers: `note_provider_health`.
-- Locks: the provider's row.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.note_trial(provider_name text, answers bigint, doubts bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
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
END;
$$;
