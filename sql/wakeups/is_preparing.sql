-- Whether the client's statement prepares its transaction for a two-phase commit, which PostgreSQL refuses to one that
-- has notified. An INSERT, whose triggers run at that moment, then notifies nobody: workers find the jobs when they
-- poll.
-- Callers: `notify_event`, `wake_all`, `wake_for_setting`, `wake_workers`.
-- Locks: none.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.is_preparing() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN right(current_query(), 2000) ~* 'prepare(\s|/\*.*\*/|--[^\n]*\n)+transaction';
END;
$$;
