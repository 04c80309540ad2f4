-- Wakes the workers of one provider, at most once in ten milliseconds. A transaction that has notified holds a lock of
-- the whole cluster from just before its commit is flushed until after it (PreCommit_Notify), so that such commits run
-- one by one, and every listener costs something with each. Hence one wake-up serves all commits of the next ten
-- milliseconds; workers look a few more times after it. The time of the last wake-up, in milliseconds since 1970,
-- is kept in a sequence per provider, which `migrate` makes: it is seen before its transaction commits. One that rolls back afterwards, or loses the value in a
-- crash, costs a wait for the next poll.
-- Callers: `notify_jobs`.
-- Locks: no row. The notification takes a lock of the whole cluster at the commit.
-- Errors: none.
CREATE OR REPLACE FUNCTION onboarding.wake_workers(provider text, already_woken text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- A provider without a sequence wakes its workers with every commit.
    last_wakeup regclass := to_regclass(format('onboarding.%I', 'last_wakeup_' || provider));
    t bigint := extract(epoch FROM clock_timestamp()) * 1000;
BEGIN
    PERFORM set_config('onboarding.has_woken', concat(already_woken, ' ', provider, ' '), true);
    IF coalesce(pg_sequence_last_value(last_wakeup), 0) NOT BETWEEN t - 10 AND t AND NOT onboarding.is_preparing() THEN
        PERFORM setval(last_wakeup, t);
        PERFORM pg_notify('onboarding_jobs', provider);
    END IF;
END;
$$;
