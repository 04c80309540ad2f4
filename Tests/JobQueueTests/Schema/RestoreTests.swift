import JobQueue
import Postgres
import TestKit
import Testing

/// Dumps and restores with PostgreSQL's own programs: a job is afterwards what it was before, and the program works.
@Suite(.serialized) struct RestoreTests {
    /// One way to move a database.
    struct Form: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// What there is in the new database before.
        var isMigrated = false
        /// Arguments of `pg_dump`; several dumps are restored one after the other.
        let dumps: [[String]]
        /// Arguments of `pg_restore`, which then takes the place of `psql`.
        var restore: [String]?
        /// As the database's owner, who is no superuser.
        var isOwner = false
        /// Errors of these words are the form's own.
        var expected: [String] = []
        /// Whether it brings all tables, or jobs alone.
        var isWhole = true
    }

    static let forms: [Form] = [
        Form(testDescription: "whole database", dumps: [[]]),
        Form(
            testDescription: "one schema, custom format, stops at an error", dumps: [["-Fc", "--schema=onboarding"]],
            restore: ["--exit-on-error", "--single-transaction"]),
        Form(
            testDescription: "schema, then data, as owner without privileges",
            dumps: [["--schema-only", "-O", "-x"], ["--data-only"]], isOwner: true),
        Form(
            testDescription: "schema, then data without triggers",
            dumps: [["--schema-only"], ["--data-only", "--disable-triggers"]]),
        Form(testDescription: "data only", isMigrated: true, dumps: [["--data-only"]]),
        Form(
            testDescription: "data of a whole dump, stops at an error", isMigrated: true, dumps: [["-Fc"]],
            restore: ["--data-only", "--exit-on-error", "--single-transaction"]),
        Form(
            testDescription: "data only, by way of the partitioned tables", isMigrated: true,
            dumps: [["--data-only", "--load-via-partition-root"]]),
        Form(
            // A job may come before the one that it waits for: it is taken the second time.
            testDescription: "data only, an INSERT a row, twice", isMigrated: true,
            dumps: Array(repeating: ["--data-only", "--column-inserts", "--on-conflict-do-nothing"], count: 2),
            expected: ["jobs_after_job_known"]),
        Form(
            testDescription: "whole database into a migrated one", isMigrated: true, dumps: [[]],
            expected: ["already", "multiple primary keys"]),
        Form(
            testDescription: "jobs alone", isMigrated: true, dumps: [["--data-only", "--table=onboarding.jobs"]],
            isWhole: false),
        Form(
            testDescription: "jobs alone, of a whole dump, as owner", isMigrated: true, dumps: [["-Fc"]],
            restore: ["--data-only", "--table=jobs"], isOwner: true, isWhole: false),
        Form(
            testDescription: "jobs with their history", isMigrated: true,
            dumps: [
                [
                    "--data-only", "--table=onboarding.jobs", "--table=onboarding.attempts*",
                    "--table=onboarding.state_changes*",
                ]
            ], isWhole: false),
        Form(
            testDescription: "jobs alone, what is there dropped before", isMigrated: true,
            dumps: [["--clean", "--table=onboarding.jobs"]],
            expected: ["because other objects depend on it", "already", "multiple primary keys"], isWhole: false),
    ]

    /// Jobs in every state and of every past, which no trigger has seen; dependents before the jobs that they wait for, some
    /// of which have ended a moment ago.
    private static let source = """
        SET session_replication_role = replica;
        UPDATE onboarding.migrations SET applied_at = now() - interval '2 days';
        UPDATE onboarding.providers SET updated_at = now() - interval '1 day';
        UPDATE onboarding.providers SET effect_horizon = '30 s' WHERE provider = 'axisfi';
        UPDATE onboarding.providers SET paused_until = 'infinity', pause_reason = 'holiday' WHERE provider = 'juicyway';
        UPDATE onboarding.kinds SET keep_finished = '90 days' WHERE kind = 'iron.customer.create';
        UPDATE onboarding.maintenance SET keep_history = '60 days', running_since = now() - interval '1 day';
        INSERT INTO onboarding.worker_leases (id, host, version, lease_expires_at, concurrency, providers, call_timeout)
        VALUES ('old', 'host', '0', clock_timestamp() + interval '1 s', 8, '{iron,axisfi,connect}', '30 s');
        CREATE TEMP TABLE s AS SELECT g AS id,
            (ARRAY['iron.customer.create', 'axisfi.customer.create', 'connect.individual.create'])[1 + g % 3] AS kind,
            (ARRAY['blocked', 'available', 'running', 'uncertain', 'completed', 'failed', 'cancelled'])[1 + g % 7] AS state
        FROM generate_series(101, 198) g;
        INSERT INTO onboarding.jobs (id, kind, state, payload, payload_bytes, claim_token, claimed_by, claimed_at, marked_at,
            lease_expires_at, first_sent_at, last_sent_at, cancel_requested_at, finished_at, provider_id, attempt, step,
            last_outcome, last_http_status, last_create_status, body_sha256, request_sha256, order_key, is_behind,
            after_job_id, unique_key, reference, run_at, created_at, backoff_step, mute_look_ups, mute_since, last_error)
        SELECT id, kind, state, '\(SQL.person)', 70, id, 'old', now() - interval '1 hour',
            CASE WHEN id % 2 = 0 THEN now() - interval '50 minutes' END, now() - interval '59 minutes',
            CASE WHEN id % 5 <> 0 THEN now() - interval '2 hours' END,
            CASE WHEN state IN ('available', 'running', 'uncertain') AND id % 5 <> 0 THEN now() - interval '3 minutes' END,
            CASE WHEN id % 4 = 1 OR state = 'cancelled' THEN now() - interval '2 minutes' END,
            CASE WHEN state IN ('completed', 'failed', 'cancelled') THEN now() - interval '1 minute' END,
            CASE WHEN state = 'completed' THEN 'p-' || id END, id % 9, CASE WHEN id % 2 = 0 THEN 'look_up' ELSE 'create' END,
            'unavailable', 503, 503, '\\x01', '\\x02',
            -- The head of each key runs or waits, or has ended.
            CASE WHEN id % 2 = 0 THEN 'key-' || id / 14 END, id % 2 = 0 AND id % 14 > 3, CASE WHEN state = 'blocked' THEN id + CASE WHEN id % 2 = 0 THEN 2 ELSE 4 END END,
            'unique-' || id, 'reference', now() - interval '1 hour' + id * interval '1 s', now() - interval '3 hours', id % 4,
            id % 3, now() - interval '1 hour', 'because'
        FROM s;
        INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome, late)
        SELECT id, id, now() - interval '1 hour', gen_random_uuid(), 1, 'create', 'old', 'unavailable', id % 2 = 0 FROM s;
        INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, at)
        SELECT id, 'available', 'failed', 'somebody', now() - interval '1 minute' FROM s;
        INSERT INTO onboarding.provider_events (provider, actor, event, at)
        SELECT 'iron', 'somebody', 'paused', now() - interval '1 day' FROM s;
        INSERT INTO onboarding.late_successes (job_id, claim_token, provider_id, worker) VALUES (104, 3, 'p-x', 'old');
        INSERT INTO onboarding.shared_ids (job_id, other_job_id) VALUES (102, 109);
        SELECT setval('onboarding.jobs_id_seq', 198), setval('onboarding.state_change_ids', 500);
        """

    private static let tables = [
        "providers", "kinds", "maintenance", "attempts", "state_changes", "provider_events", "late_successes",
        "shared_ids",
        "worker_leases", "ended",
    ]

    /// Runs `body` with a session on the database that has all of `source`.
    private func withSource(_ body: (Session, String) async throws -> Void) async throws {
        try await withTestDatabase { url in
            try await withSession(url) { session in
                try await session.run("BEGIN; \(Self.source); COMMIT; RESET session_replication_role")
                try await body(session, url)
            }
        }
    }

    private func withSession(_ url: String, _ body: (Session) async throws -> Void) async throws {
        let session = Session(
            connection: try await Connection.open(ConnectionConfiguration(connectionString: url)))
        do { try await body(session) } catch {
            await session.connection.close()
            throw error
        }
        await session.connection.close()
    }

    /// Makes the one that restores the owner of the database, and returns how to log in.
    private func owner(_ url: String) async throws -> String {
        try await withSession(url) { session in
            try await session.run(
                """
                DO $$ BEGIN CREATE ROLE onboard_restorer LOGIN CREATEROLE; EXCEPTION WHEN duplicate_object THEN END $$;
                DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO onboard_restorer', current_database()); END $$;
                DO $$ DECLARE t record; BEGIN
                    FOR t IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = 'onboarding' AND c.relkind IN ('r', 'p') LOOP
                        EXECUTE format('GRANT ALL ON TABLE %s TO onboard_restorer', t.name);
                    END LOOP;
                    IF to_regnamespace('onboarding') IS NOT NULL THEN GRANT USAGE ON SCHEMA onboarding TO onboard_restorer; END IF;
                END $$;
                """)
        }
        var string = try ConnectionString(parsing: url)
        string["user"] = "onboard_restorer"
        return string.keywordForm
    }

    private static func rows(_ table: String) -> String { "SELECT t::text FROM onboarding.\(table) t ORDER BY 1" }

    @Test(.timeLimit(.minutes(10)), arguments: forms)
    func `jobs are what they were, and nothing that has ended is claimed`(form: Form) async throws {
        try await withSource { source, sourceURL in
            try await withTestDatabase(migrated: form.isMigrated) { url in
                let login = form.isOwner ? try await owner(url) : url
                for arguments in form.dumps {
                    let dump = try await PostgresTools.dump(sourceURL, arguments)
                    let errors =
                        if let restore = form.restore {
                            try await PostgresTools.restore(dump, into: login, restore)
                        } else { try await PostgresTools.replay(dump, into: login) }
                    #expect(errors.filter { error in !form.expected.contains { error.contains($0) } } == [])
                }
                try await withSession(url) { restored in
                    let jobs = try await source.column(Self.rows("jobs"))
                    #expect(jobs.count == 98)
                    #expect(try await restored.column(Self.rows("jobs")) == jobs)
                    for table in form.isWhole ? Self.tables : [] {
                        let before = try await source.column(Self.rows(table))
                        #expect(try await restored.column(Self.rows(table)) == before, "\(table)")
                    }
                    #expect(try await restored.value("SELECT count(*) FROM onboarding.ended") == "0")
                    let migrator = SchemaMigrator(restored.connection)
                    #expect(try await migrator.migrate().migrations == [])
                    #expect(try await migrator.standing() == .current)
                    _ = try await migrator.repair()
                    #expect(try await migrator.repair() == [])
                    try await expectToWork(restored, like: source)
                }
            }
        }
    }

    /// Puts a job in, takes over what the old worker had, and claims all there is.
    private func expectToWork(_ restored: Session, like source: Session) async throws {
        let ended = "onboarding.jobs t WHERE state IN ('completed', 'failed', 'cancelled') AND id < 199"
        let endedRows = "SELECT t::text FROM \(ended) ORDER BY 1"
        #expect(
            Int(try await restored.value("onboarding.enqueue('iron.customer.create', '\(SQL.person)')") ?? "") == 199)
        try await restored.run("SET ROLE onboarding_worker; \(SQL.worker("new"))")
        try await eventually("the old worker's lease ends") {
            // Thoroughly, as a worker does every few seconds.
            _ = try await restored.value("onboarding.take_over('new', '{}', 1000, true)")
            return try await restored.value(
                "SELECT count(*) FROM onboarding.jobs WHERE claimed_by = 'old' AND state = 'running'") == "0"
        }
        try await restored.run("RESET ROLE; UPDATE onboarding.jobs SET run_at = now() WHERE state = 'available'")
        for provider in ["iron", "axisfi", "connect"] { _ = try await restored.column(SQL.claim("new", provider)) }
        #expect(try await restored.column(endedRows) == source.column(endedRows))
        let running = "SELECT count(*) > 10 FROM onboarding.jobs WHERE state = 'running' AND claimed_by = 'new'"
        #expect(try await restored.value(running) == "true")
        // What was in doubt still is, under its own key, with its cancel and its digests.
        let doubts = """
            SELECT concat_ws(' ', id, idempotency_key, cancel_requested_at, body_sha256, request_sha256, first_sent_at)
            FROM onboarding.jobs WHERE last_sent_at IS NOT NULL
            """
        #expect(Set(try await source.column(doubts)).subtracting(try await restored.column(doubts)) == [])
    }

    @Test func `a schema that was restored in part is named as such`() async throws {
        try await withTestDatabase { sourceURL in
            let schema = try await PostgresTools.dump(sourceURL, ["--schema-only"])
            let journal = try await PostgresTools.dump(sourceURL, ["--table=onboarding.migrations"])
            try await withTestDatabase(migrated: false) { url in
                _ = try await PostgresTools.replay(schema, into: url)
                try await withSession(url) { session in
                    let standing = try await SchemaMigrator(session.connection).standing()
                    #expect(standing == .incomplete(["the rows of the table migrations"]))
                }
            }
            try await withTestDatabase(migrated: false) { url in
                try await withSession(url) { session in
                    try await session.run("CREATE SCHEMA onboarding")
                    _ = try await PostgresTools.replay(journal, into: url)
                    guard case .incomplete(let missing) = try await SchemaMigrator(session.connection).standing() else {
                        Issue.record("a schema of one table is taken for a whole one")
                        return
                    }
                    for name in [
                        "jobs", "claim", "jobs_check_new", "jobs_pkey", "jobs_order_running_idx", "queue_health",
                    ] {
                        #expect(missing.contains(name))
                    }
                }
            }
        }
    }

    static let losses = [
        ("jobs_check_new", "DROP TRIGGER jobs_check_new ON onboarding.jobs"),
        // As a restore without triggers leaves it that was stopped.
        ("jobs_legal_transition", "ALTER TABLE onboarding.jobs DISABLE TRIGGER jobs_legal_transition"),
        ("jobs_order_running_idx", "DROP INDEX onboarding.jobs_order_running_idx"),
        ("jobs_no_end_in_doubt", "ALTER TABLE onboarding.jobs DROP CONSTRAINT jobs_no_end_in_doubt"),
        ("late_successes_pkey", "ALTER TABLE onboarding.late_successes DROP CONSTRAINT late_successes_pkey"),
        ("queue_health", "DROP VIEW onboarding.queue_health"),
        ("state_change_ids", "DROP SEQUENCE onboarding.state_change_ids CASCADE"),
        ("cancel", "DROP FUNCTION onboarding.cancel"),
    ]

    @Test(arguments: losses)
    func `what is missing or switched off is named`(name: String, loss: String) async throws {
        try await withSessions { sessions in
            let migrator = SchemaMigrator(sessions[0].connection)
            #expect(try await migrator.standing() == .current)
            try await sessions[0].run(loss)
            #expect(try await migrator.standing() == .incomplete([name]))
        }
    }

    @Test func `rights that a restore left out are given again`() async throws {
        let rights = """
            SELECT concat_ws(' ', o.name, a.grantee::regrole, a.privilege_type) FROM (
                SELECT p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)) FROM pg_proc p WHERE p.pronamespace = 'onboarding'::regnamespace
                UNION ALL SELECT c.oid::regclass::text, c.relacl FROM pg_class c WHERE c.relnamespace = 'onboarding'::regnamespace
                    AND c.relname !~ '_(first|2)'
                UNION ALL SELECT a.attrelid::regclass || '.' || a.attname, a.attacl FROM pg_attribute a
                    JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'onboarding'::regnamespace) AS o (name, acl)
            CROSS JOIN LATERAL aclexplode(o.acl) a ORDER BY 1
            """
        try await withTestDatabase { sourceURL in
            let dump = try await PostgresTools.dump(sourceURL, ["-x"])
            try await withTestDatabase(migrated: false) { url in
                #expect(try await PostgresTools.replay(dump, into: url) == [])
                try await withSession(url) { session in
                    let migrator = SchemaMigrator(session.connection)
                    let roles = [
                        "onboarding_enqueuer", "onboarding_monitor", "onboarding_operator", "onboarding_worker",
                    ]
                    #expect(try await migrator.standing() == .withoutRights(roles))
                    #expect(try await migrator.migrate().migrations == [])
                    #expect(try await migrator.standing() == .current)
                    try await withSession(sourceURL) { source in
                        let granted = try await source.column(rights)
                        #expect(granted.count > 200)
                        #expect(try await session.column(rights) == granted)
                    }
                }
            }
        }
    }

    @Test func `a pause that was not restored is asked for`() async throws {
        try await withSource { _, sourceURL in
            let dump = try await PostgresTools.dump(sourceURL, ["--data-only", "--disable-triggers"])
            try await withTestDatabase { url in
                #expect(try await PostgresTools.replay(dump, into: url).count == 5)
                try await withSession(url) { session in
                    try await Self.expectRefusal(session, "the pauses and limits of iron")
                    try await session.run("SELECT onboarding.pause_provider('iron')")
                    _ = try await SchemaMigrator(session.connection).repair()
                }
            }
        }
    }

    private static func expectRefusal(_ session: Session, _ words: String) async throws {
        do throws(PostgresError) {
            _ = try await SchemaMigrator(session.connection).repair()
            Issue.record("it was not refused: \(words)")
        } catch {
            #expect(error.message.contains(words))
        }
    }

    @Test func `settings that were not restored are asked for`() async throws {
        for table in ["providers", "kinds", "maintenance"] {
            try await withSessions { sessions in
                try await sessions[0].run("TRUNCATE onboarding.\(table) CASCADE")
                try await Self.expectRefusal(sessions[0], "no rows are in onboarding.")
            }
        }
    }

    @Test func `numbers go on after those of the restored rows, and lost workers are looked for from the first`()
        async throws
    {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(
                """
                SET session_replication_role = replica;
                INSERT INTO onboarding.jobs (id, kind, payload, payload_bytes, state, claim_token, claimed_by, claimed_at)
                VALUES (7, 'iron.customer.create', '\(SQL.person)', 70, 'running', 1, 'old', now() - interval '1 day');
                INSERT INTO onboarding.state_changes (id, job_id, from_state, to_state, actor) VALUES (9, 7, 'a', 'b', 'c');
                INSERT INTO onboarding.provider_events (id, provider, actor, event) OVERRIDING SYSTEM VALUE VALUES (3, 'iron', 'a', 'b');
                UPDATE onboarding.maintenance SET running_since = now() - interval '1 minute';
                RESET session_replication_role; SET ROLE onboarding_worker;
                """)
            let repairs = try await SchemaMigrator(a.connection).repair()
            #expect(repairs.count == 4)
            try await a.run("RESET ROLE; \(SQL.enqueue()) SELECT onboarding.pause_provider('iron')")
            #expect(try await a.value("SELECT max(id) FROM onboarding.jobs") == "8")
            #expect(try await a.value("SELECT nextval('onboarding.state_change_ids')") == "10")
            #expect(try await a.value("onboarding.has_running('old')") == "true")
            #expect(try await SchemaMigrator(a.connection).repair() == [])
        }
    }

    @Test func `a caller cannot pass a new job off as a restored one`() async throws {
        try await withSessions { sessions in
            let error = await sessions[0].error(
                """
                SET ROLE onboarding_enqueuer;
                INSERT INTO onboarding.jobs (kind, payload, payload_bytes) VALUES ('iron.customer.create', '{}', 1)
                """)
            #expect(error?.sqlState == .insufficientPrivilege)
        }
    }

    @Test func `what was written while its month had no partition moves to it`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            let month = "date_trunc('month', now() + interval '5 months', 'UTC')"
            try await a.run(
                """
                INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome)
                SELECT 1, d, \(month) + d * interval '1 month', gen_random_uuid(), 1, 'create', 'w', 'succeeded' FROM generate_series(0, 1) d;
                INSERT INTO onboarding.state_changes (job_id, from_state, to_state, actor, at) VALUES (1, 'a', 'failed', 'c', \(month));
                SELECT onboarding.add_partition('attempts', \(month)), onboarding.add_partition('state_changes', \(month));
                """)
            #expect(try await a.value("SELECT count(*) FROM onboarding.attempts_rest") == "1")
            #expect(try await a.value("SELECT count(*) FROM onboarding.attempts") == "2")
            #expect(try await a.value("SELECT count(*) FROM onboarding.state_changes_rest") == "0")
        }
    }

    @Test func `a provider's unfinished jobs are put in doubt by one statement`() async throws {
        try await withSource { source, _ in
            try await source.run("SET ROLE onboarding_operator")
            let doubted = try await source.value("onboarding.doubt_unfinished('axisfi', 'backup of last night')")
            try await source.run("RESET ROLE")
            let open = "provider = 'axisfi' AND state IN ('blocked', 'available', 'running', 'uncertain')"
            #expect(try await source.value("SELECT count(*) FROM onboarding.jobs WHERE \(open)") == doubted)
            let trusted = "last_sent_at IS NULL OR last_sent_at < now() - interval '1 minute' OR first_sent_at IS NULL"
            #expect(
                try await source.value("SELECT count(*) FROM onboarding.jobs WHERE \(open) AND (\(trusted))") == "0")
            let other = "provider <> 'axisfi' AND last_sent_at > now() - interval '1 minute'"
            #expect(try await source.value("SELECT count(*) FROM onboarding.jobs WHERE \(other)") == "0")
        }
    }
}
