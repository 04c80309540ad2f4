-- Makes the group roles that the server does not have. Roles are not in the dump of a database.
-- Callers: `grants.sql`.
-- Locks: none.
-- Errors: 42501 where the login may not make roles.
CREATE OR REPLACE FUNCTION onboarding.make_roles() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    role_name text;
    missing text[] := '{}';
BEGIN
    FOREACH role_name IN ARRAY ARRAY['onboarding_enqueuer', 'onboarding_worker', 'onboarding_operator', 'onboarding_monitor'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                -- Roles belong to the whole server: another database's migration may make them at this moment.
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN missing := missing || format('CREATE ROLE %I NOLOGIN;', role_name);
            END;
        END IF;
    END LOOP;
    IF missing <> '{}' THEN
        RAISE EXCEPTION 'onboarding: this login may not create roles; ask an administrator to run: %', array_to_string(missing, ' ')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END;
$$;
