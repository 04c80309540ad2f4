-- Waits for the turn of a claim of `wanted` jobs, which ends with the transaction, and returns `wanted`. Large claims
-- of a provider take turns: those that run at the same time walk over each other's jobs, and two at a time claim more
-- than eight. A claim that has waited for 0.25 s, or wants fewer than 50, does not wait for its turn.
-- Callers: queries/claim.sql.
-- Locks: one of two advisory locks per provider, until the end of the transaction.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.claim_turn(provider_name text, wanted integer) RETURNS integer
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
