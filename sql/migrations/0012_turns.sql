-- Large claims of a provider take turns. Those that are made at the same time walk over each other's jobs, and lock what
-- another has just claimed: two at a time bring more than eight.
INSERT INTO onboarding.migrations (version, name) VALUES (12, 'turns');

-- Waits for the turn of a claim of `wanted` jobs, which ends with the transaction, and returns `wanted`. Who has waited too
-- long, or wants little, claims beside the two.
CREATE FUNCTION onboarding.claim_turn(provider_name text, wanted integer) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '250ms' AS $$
BEGIN
    IF wanted >= 50 AND NOT pg_try_advisory_xact_lock(hashtextextended('onboarding.claim ' || provider_name, 1)) THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('onboarding.claim ' || provider_name, 2));
    END IF;
    RETURN wanted;
EXCEPTION WHEN lock_not_available THEN
    RETURN wanted;
END;
$$;

REVOKE ALL ON FUNCTION onboarding.claim_turn FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.claim_turn TO onboarding_worker;
