-- The state in which an attempt ends, given what the worker decided. A job in doubt fails or is cancelled only once the
-- doubt is over: until then its next claim finds out. A job that was cancelled and is not in doubt is not tried again.
-- In SQL because a cancel may commit between the decision and this write.
-- Callers: `complete`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.state_after(wanted text, is_cancelled boolean, in_doubt boolean)
RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE WHEN wanted IN ('completed', 'waiting', 'uncertain') THEN wanted
    WHEN in_doubt THEN 'available' WHEN is_cancelled THEN 'cancelled' ELSE wanted END;
