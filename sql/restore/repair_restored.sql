-- Repairs what a restore of single tables, or of data alone, leaves behind: sequences that lag behind their tables, and
-- the moment before which no running job was claimed. Returns a sentence for each repair.
-- Callers: `onboard migrate`, and each worker before it begins, through queries/repair_restored.sql.
-- Locks: the first row of `migrations` (a row, since any login may take and keep an advisory lock), then the row of
-- `maintenance`.
-- Errors: 55000 for a database whose settings were not restored.
CREATE OR REPLACE FUNCTION onboarding.repair_restored() RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    empty text := concat_ws(', ',
        CASE WHEN NOT EXISTS (SELECT FROM onboarding.providers) THEN 'onboarding.providers' END,
        CASE WHEN NOT EXISTS (SELECT FROM onboarding.kinds) THEN 'onboarding.kinds' END,
        CASE WHEN NOT EXISTS (SELECT FROM onboarding.maintenance) THEN 'onboarding.maintenance' END);
    -- Rows of before this installation, beside settings that nobody has touched since it was made.
    unset text := (
        SELECT string_agg(p.provider, ', ' ORDER BY p.provider)
        FROM onboarding.migrations m JOIN onboarding.providers p ON p.updated_at = m.applied_at
        WHERE m.version = 1
          AND EXISTS (SELECT FROM onboarding.provider_events e WHERE e.provider = p.provider AND e.at < m.applied_at));
    place record;
BEGIN
    IF empty <> '' THEN
        RAISE EXCEPTION 'onboarding: no rows are in %: the database was restored without them; restore these rows as well', empty
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF unset <> '' THEN
        RAISE EXCEPTION 'onboarding: the pauses and limits of % were not restored: restore the rows of onboarding.providers, '
            'without --disable-triggers, or pause and resume each by hand', unset
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- A row, and not an advisory lock, which any login may take and keep.
    PERFORM FROM onboarding.migrations m WHERE m.version = 1 FOR UPDATE;
    FOR place IN
        SELECT format('onboarding.%I', s.name)::regclass AS sequence, s.newest
        FROM (VALUES
            ('jobs_id_seq', (SELECT max(j.id) FROM onboarding.jobs j)),
            ('state_change_ids', (SELECT max(c.id) FROM onboarding.state_changes c)),
            ('provider_events_id_seq', (SELECT max(e.id) FROM onboarding.provider_events e))) AS s (name, newest)
    LOOP
        IF place.newest > coalesce(pg_sequence_last_value(place.sequence), 0) THEN
            PERFORM setval(place.sequence, place.newest);
            RETURN NEXT format('%s was behind its table: it goes on after %s', place.sequence, place.newest);
        END IF;
    END LOOP;
    UPDATE onboarding.maintenance m SET running_since = f.at
    FROM (SELECT onboarding.first_running('-infinity') AS at) AS f WHERE m.running_since > f.at;
    IF FOUND THEN RETURN NEXT 'running jobs were claimed earlier than this database knew: they are looked for again'; END IF;
END;
$$;
