-- A database that was restored from a dump works as before, or says what it lacks. `check_new_job` and
-- `state_changes_count_end` tell rows of a dump from new ones.

-- A dump's row takes the place of the one that a migration has inserted already, so that data can be restored into a
-- migrated database: else a provider's pause, limits and horizon would be those of a new installation. The argument is the
-- key's column. On tables in which nobody but the owner inserts.
CREATE FUNCTION onboarding.take_restored_row() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns text := (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped);
    replaced bigint;
BEGIN
    EXECUTE format('UPDATE %1$s AS t SET (%2$s) = (SELECT %2$s FROM (SELECT ($1).*) AS r) WHERE t.%3$I = ($1).%3$I',
        TG_RELID::regclass, columns, TG_ARGV[0]) USING NEW;
    GET DIAGNOSTICS replaced = ROW_COUNT;
    IF replaced > 0 THEN RETURN NULL; END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER migrations_take_restored BEFORE INSERT ON onboarding.migrations
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('version');
CREATE TRIGGER providers_take_restored BEFORE INSERT ON onboarding.providers
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('provider');
CREATE TRIGGER kinds_take_restored BEFORE INSERT ON onboarding.kinds
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('kind');
CREATE TRIGGER maintenance_take_restored BEFORE INSERT ON onboarding.maintenance
FOR EACH ROW EXECUTE FUNCTION onboarding.take_restored_row('is_only_row');

-- Repairs what a restore of single tables, or of data alone, leaves behind: numbers that were given out already, and the
-- moment before which no running job was claimed. Returns a sentence for each repair. Called by `onboard migrate` and by
-- each worker before it begins; one at a time. Refuses a database whose settings were not restored.
CREATE FUNCTION onboarding.repair_restored() RETURNS SETOF text
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

-- Puts all jobs of a provider in doubt that have not ended, and returns how many: each is looked up before it is sent
-- again, or becomes uncertain where its provider cannot tell. For a database from a backup: what was due then may have been
-- sent since. Called by operators, before the first worker starts. A key counts as old as it can be.
CREATE FUNCTION onboarding.doubt_unfinished(provider text, reason text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p onboarding.providers := onboarding.lock_provider(provider);
    doubted bigint;
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN PERFORM onboarding.refuse('reason', 'is needed: it is kept'); END IF;
    UPDATE onboarding.jobs j
    SET last_sent_at = clock_timestamp(), first_sent_at = coalesce(j.first_sent_at, j.created_at), updated_at = now()
    WHERE j.provider = p.provider AND j.state IN ('blocked', 'available', 'running', 'uncertain');
    GET DIAGNOSTICS doubted = ROW_COUNT;
    INSERT INTO onboarding.provider_events (provider, actor, event, reason)
    VALUES (p.provider, session_user, 'doubted', left(doubt_unfinished.reason, 500));
    RETURN doubted;
END;
$$;

REVOKE ALL ON FUNCTION onboarding.take_restored_row, onboarding.repair_restored, onboarding.doubt_unfinished FROM PUBLIC;
GRANT EXECUTE ON FUNCTION onboarding.repair_restored TO onboarding_worker;
GRANT EXECUTE ON FUNCTION onboarding.doubt_unfinished TO onboarding_operator;

INSERT INTO onboarding.migrations (version, name) VALUES (20, 'restores');
