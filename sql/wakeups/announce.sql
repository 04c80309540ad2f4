-- Tells listeners that jobs have ended. Completions do not notify by themselves, since commits that notify run one by
-- one (`wake_workers`): the worker calls this afterwards, in a commit that does not wait for the disk.
-- Callers: queries/announce.sql.
-- Locks: no row. The notification takes a lock of the whole cluster at the commit.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.announce(job_ids bigint[], states text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Not by `notify_event`, whose call for each would cost six times as much.
    PERFORM pg_notify('onboarding_events', format('{"job_id": %s, "state": "%s"}', e.job_id, e.state))
    FROM unnest(job_ids, states) AS e (job_id, state);
END;
$$;
