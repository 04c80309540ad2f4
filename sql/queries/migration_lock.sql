-- Takes the lock of migrations for the session, unless another has it.
-- $1 key bigint.
-- Returns is_taken boolean, holder text: who else has it, null for nobody.
SELECT pg_catalog.pg_try_advisory_lock($1::bigint) AS is_taken,
    (SELECT pg_catalog.format('the session %s of the login %s (%s)', a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'unnamed'))
        FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_catalog.pg_backend_pid()
          AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
          AND l.classid::bigint << 32 | l.objid::bigint = $1::bigint
        LIMIT 1) AS holder
