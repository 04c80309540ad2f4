import JobQueue
import Postgres
import SQLCatalog
import TestKit
import Testing

@Suite struct SchemaMigratorTests {
    private static let versions = SQLCatalog.migrations.map(\.version)
    private static let names = SQLCatalog.sources.map(\.name)

    /// Every row that a migration may write in the catalogue, with the transaction that wrote it.
    private static let catalogue = """
        SELECT concat_ws(' ', c.oid::regclass, c.xmin) FROM pg_class c WHERE c.relnamespace = 'onboarding'::regnamespace
        UNION ALL SELECT concat_ws(' ', p.oid::regprocedure, p.xmin) FROM pg_proc p WHERE p.pronamespace = 'onboarding'::regnamespace
        UNION ALL SELECT concat_ws(' ', t.tgname, t.xmin) FROM pg_trigger t
        UNION ALL SELECT concat_ws(' ', r.ev_class::regclass, r.xmin) FROM pg_rewrite r
        UNION ALL SELECT concat_ws(' ', a.attrelid::regclass, a.attname, a.xmin) FROM pg_attribute a
        UNION ALL SELECT concat_ws(' ', s.name, s.xmin) FROM onboarding.sources s
        UNION ALL SELECT concat_ws(' ', m.version, m.xmin) FROM onboarding.migrations m
        ORDER BY 1
        """

    private func withConnections(
        _ count: Int, migrated: Bool = false, _ body: ([Session]) async throws -> Void
    ) async throws {
        try await withTestDatabase(migrated: migrated) { connectionString in
            var sessions: [Session] = []
            for _ in 0..<count {
                sessions.append(
                    Session(
                        connection: try await Connection.open(
                            ConnectionConfiguration(connectionString: connectionString))))
            }
            do {
                try await body(sessions)
            } catch {
                for session in sessions { await session.connection.close() }
                throw error
            }
            for session in sessions { await session.connection.close() }
        }
    }

    @Test func `an empty database is brought up to date, and a second run writes nothing`() async throws {
        try await withConnections(1) { sessions in
            let migrator = SchemaMigrator(sessions[0].connection)
            #expect(try await migrator.standing() == .behind(Self.versions))
            let changes = try await migrator.migrate()
            #expect(changes.migrations == Self.versions)
            #expect(changes.replaced == Self.names + ["grants"])
            #expect(try await migrator.standing() == .current)
            let before = try await sessions[0].column(Self.catalogue)
            #expect(before.count > 1000)
            #expect(try await migrator.migrate().isEmpty)
            #expect(try await sessions[0].column(Self.catalogue) == before)
        }
    }

    @Test func `of two migrators at once one works and the other waits`() async throws {
        try await withConnections(2) { sessions in
            async let first = SchemaMigrator(sessions[0].connection).migrate()
            async let second = SchemaMigrator(sessions[1].connection).migrate()
            let done = try await first.migrations + second.migrations
            #expect(done == Self.versions)
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `an upgrade waits for open transactions without holding up callers, and goes on`() async throws {
        try await withConnections(3, migrated: true) { sessions in
            let (migrator, caller, monitor) = (sessions[0], sessions[1], sessions[2])
            // A trigger has to be made again, which locks the table that everybody writes in.
            try await migrator.run("UPDATE onboarding.sources SET digest = '' WHERE name = 'jobs_notify'")
            let insert = SQL.enqueue()
            try await caller.run("BEGIN; \(insert)")
            async let migrated = SchemaMigrator(migrator.connection).migrate()
            // As dashboards and other callers do all the time: none may fail, or wait for as long as the caller's.
            let end = ContinuousClock.now + .seconds(6)
            while ContinuousClock.now < end {
                _ = try await monitor.connection.query(
                    Statement("SELECT * FROM onboarding.queue_health"), timeout: .seconds(4))
                try await monitor.connection.run(script: insert, timeout: .seconds(4))
                try await Task.sleep(for: .milliseconds(50))
            }
            try await caller.run("COMMIT")
            #expect(try await migrated.replaced == ["jobs_notify"])
            #expect(try await monitor.value("SELECT count(*) > 2 FROM onboarding.jobs") == "true")
        }
    }

    @Test func `row security that an event trigger switches on hides nothing from those with rights`() async throws {
        try await withConnections(1) { connections in
            let a = connections[0]
            try await a.run(
                """
                CREATE FUNCTION shut() RETURNS event_trigger LANGUAGE plpgsql AS $$
                DECLARE made record;
                BEGIN
                    FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' LOOP
                        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', made.objid::regclass);
                    END LOOP;
                END $$;
                CREATE EVENT TRIGGER shut ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION shut();
                """)
            _ = try await SchemaMigrator(a.connection).migrate()
            // A partition is reached through its table, whose rights hold.
            let shut =
                "SELECT relname FROM pg_class WHERE relnamespace = 'onboarding'::regnamespace AND relrowsecurity AND NOT relispartition"
            #expect(try await a.column(shut) == [])
            try await a.run(
                "SET ROLE onboarding_enqueuer; INSERT INTO onboarding.jobs (kind, payload) VALUES ('iron.customer.create', '\(SQL.person)')"
            )
            try await a.run("SET ROLE onboarding_worker;" + SQL.worker("w"))
            #expect(try await a.column(SQL.claim("w")) == ["1"])
            try await a.run("RESET ROLE")
            _ = try await a.column(SQL.complete("w", 1))
            try await a.run("SET ROLE onboarding_monitor")
            #expect(
                try await a.value("(SELECT completed_last_hour FROM onboarding.queue_health WHERE provider = 'iron')")
                    == "1")
            #expect(try await a.value("(SELECT count(*) FROM onboarding.attempts)") == "1")
            try await a.run("RESET ROLE; SELECT onboarding.add_partition('attempts', now() + interval '7 months')")
            try await a.run(
                """
                INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome)
                VALUES (1, 2, now() + interval '7 months', gen_random_uuid(), 1, 'create', 'w', 'succeeded');
                SET ROLE onboarding_monitor;
                """)
            #expect(try await a.value("(SELECT count(*) FROM onboarding.attempts)") == "2")
            try await a.run("RESET ROLE; DROP EVENT TRIGGER shut")
        }
    }

    @Test func `roles that are missing are named all at once, with what makes them`() async throws {
        let server = try PostgresServer(settings: ["fsync = off"])
        try await server.start()
        var string = try server.connectionString
        let administrator = try await Connection.open(ConnectionConfiguration(connectionString: string.keywordForm))
        try await administrator.run(
            script: "CREATE ROLE owner LOGIN; CREATE ROLE onboarding_worker; GRANT CREATE ON DATABASE postgres TO owner"
        )
        string["user"] = "owner"
        let owner = try await Connection.open(ConnectionConfiguration(connectionString: string.keywordForm))
        do throws(PostgresError) {
            _ = try await SchemaMigrator(owner).migrate()
            Issue.record("roles were made without the right to")
        } catch {
            #expect(error.sqlState == .insufficientPrivilege)
            let advice = "onboarding: this login may not create roles; ask an administrator to run: "
            #expect(error.message.hasPrefix(advice))
            let statements = ["enqueuer", "operator", "monitor"].map { "CREATE ROLE onboarding_\($0) NOLOGIN;" }
            #expect(error.message.dropFirst(advice.count) == statements.joined(separator: " "))
            try await administrator.run(script: statements.joined())
        }
        #expect(try await SchemaMigrator(owner).migrate().migrations == Self.versions)
        await owner.close()
        await administrator.close()
        try await server.stop(.immediate)
    }

    @Test func `a run that fails leaves nothing of itself and frees the lock`() async throws {
        try await withConnections(2) { sessions in
            // The functions come after the tables; this one is in their way.
            try await sessions[0].run(
                "CREATE SCHEMA onboarding; CREATE FUNCTION onboarding.settle_dependents(ended bigint[]) "
                    + "RETURNS integer LANGUAGE sql AS 'SELECT 1'; "
                    + "CREATE VIEW public.blocker AS SELECT onboarding.settle_dependents(NULL)")
            do throws(PostgresError) {
                _ = try await SchemaMigrator(sessions[0].connection).migrate()
                Issue.record("it did not fail")
            } catch {
                #expect(error.sqlState?.code == "2BP01")
            }
            #expect(try await sessions[1].value("SELECT to_regclass('onboarding.jobs') IS NULL") == "true")
            #expect(try await SchemaMigrator(sessions[1].connection).standing() == .behind(Self.versions))
            try await sessions[1].run("DROP VIEW public.blocker")
            let outcome = try await SchemaMigrator(sessions[1].connection).migrate()
            #expect(outcome.migrations == Self.versions)
        }
    }

    @Test func `a schema of a later program is recognised and left alone`() async throws {
        for later in [
            "INSERT INTO onboarding.migrations (version, name) VALUES (9999, 'later')",
            "UPDATE onboarding.sources SET revision = 9999, digest = ''",
        ] {
            try await withConnections(1, migrated: true) { sessions in
                let migrator = SchemaMigrator(sessions[0].connection)
                try await sessions[0].run(later)
                #expect(try await migrator.standing() == .newer(isBreaking: false))
                #expect(try await migrator.migrate().isEmpty)
                try await sessions[0].run(
                    "INSERT INTO onboarding.migrations (version, name, is_breaking) VALUES (10000, 'broken', true)")
                #expect(try await migrator.standing() == .newer(isBreaking: true))
            }
        }
    }

    /// Changes of a database that a program before this one may have left, and what the run replaces because of each.
    private static let differences: [(change: String, replaced: [String])] = [
        (
            "CREATE OR REPLACE FUNCTION onboarding.counted_at_once() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 7'",
            ["counted_at_once"]
        ),
        // Another result and other parameters: it and what depends on it are made again.
        (
            """
            DROP VIEW onboarding.queue_health; DROP FUNCTION onboarding.queue_counts;
            CREATE FUNCTION onboarding.queue_counts() RETURNS TABLE (provider text) LANGUAGE sql AS 'SELECT provider FROM onboarding.providers';
            CREATE VIEW onboarding.queue_health AS SELECT * FROM onboarding.queue_counts();
            UPDATE onboarding.sources SET digest = '' WHERE name = 'queue_health'
            """, ["queue_counts", "queue_health"]
        ),
        (
            """
            DROP FUNCTION onboarding.pace CASCADE; CREATE FUNCTION onboarding.pace(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
            UPDATE onboarding.sources SET object = 'FUNCTION onboarding.pace(integer)' WHERE name = 'pace'
            """, ["pace"]
        ),
        // Other columns of a view on which another depends.
        (
            """
            DROP VIEW onboarding.evidence; CREATE VIEW onboarding.evidence AS SELECT 1 AS one
            """, ["evidence"]
        ),
        ("DROP TRIGGER jobs_check_new ON onboarding.jobs", ["jobs_check_new"]),
    ]

    @Test(arguments: differences.indices)
    func `what differs from its file is made again as the file says, with its rights`(index: Int) async throws {
        let (change, replaced) = Self.differences[index]
        let state = """
            SELECT concat_ws(' ', pg_get_functiondef(p.oid), p.proacl) FROM pg_proc p WHERE p.pronamespace = 'onboarding'::regnamespace
            UNION ALL SELECT concat_ws(' ', c.relname, pg_get_viewdef(c.oid), c.relacl) FROM pg_class c
                WHERE c.relnamespace = 'onboarding'::regnamespace AND c.relkind = 'v'
            UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT tgisinternal
            ORDER BY 1
            """
        try await withConnections(1, migrated: true) { sessions in
            let whole = try await sessions[0].column(state)
            try await sessions[0].run(change)
            let names = replaced.map { "'\($0)'" }.joined(separator: ", ")
            try await sessions[0].run("UPDATE onboarding.sources SET digest = '' WHERE name IN (\(names))")
            let changes = try await SchemaMigrator(sessions[0].connection).migrate()
            #expect(changes.replaced.sorted() == replaced)
            #expect(try await sessions[0].column(state) == whole)
        }
    }

    /// This program's tree, with some of its functions as given.
    private static func tree(revision: Int, without gone: Set<String> = [], _ replaced: [(name: String, sql: String)])
        -> SchemaTree
    {
        let new = replaced.compactMap { Source(path: "topic/\($0.name).sql", sql: "-- X.\n\($0.sql)") }
        let kept = SQLCatalog.sources.filter { source in
            !gone.contains(source.name) && !new.contains { $0.name == source.name }
        }
        return SchemaTree(
            revision: revision, migrations: SQLCatalog.migrations, sources: Source.ordered(kept + new),
            grants: SQLCatalog.grants)
    }

    @Test func `of two programs the later one's functions stay, whichever migrates last`() async throws {
        func onceCounted(_ number: Int) -> (name: String, sql: String) {
            (
                "counted_at_once",
                "CREATE OR REPLACE FUNCTION onboarding.counted_at_once() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT \(number)';"
            )
        }
        try await withConnections(1, migrated: true) { sessions in
            let later = SchemaMigrator(
                sessions[0].connection,
                tree: Self.tree(revision: SQLCatalog.revision + 1, without: ["one_of"], [onceCounted(7)]))
            let earlier = SchemaMigrator(sessions[0].connection)
            #expect(try await later.standing() == .outdated(["counted_at_once", "one_of"]))
            let changes = try await later.migrate()
            #expect(changes.replaced == ["counted_at_once"])
            #expect(changes.dropped == ["one_of"])
            #expect(try await earlier.standing() == .newer(isBreaking: false))
            #expect(try await earlier.migrate().isEmpty)
            #expect(try await sessions[0].value("onboarding.counted_at_once()") == "7")
            #expect(try await later.standing() == .current)
        }
    }

    @Test(arguments: [
        (
            "CREATE OR REPLACE FUNCTION onboarding.new_one() RETURNS bigint LANGUAGE sql AS 'SELECT onboarding.missing()';",
            "42883"
        ),
        (
            "CREATE OR REPLACE FUNCTION onboarding.new_one() RETURNS void LANGUAGE plpgsql AS 'BEGIN IF THEN END';",
            "42601"
        ),
    ])
    func `a function whose body cannot work is refused, and nothing is changed`(sql: String, code: String) async throws
    {
        try await withConnections(1, migrated: true) { sessions in
            let broken = Self.tree(revision: SQLCatalog.revision, [("new_one", sql)])
            do throws(PostgresError) {
                _ = try await SchemaMigrator(sessions[0].connection, tree: broken).migrate()
                Issue.record("it was taken")
            } catch {
                #expect(error.sqlState?.code == code)
            }
            let isGone = try await sessions[0].value("to_regproc('onboarding.new_one') IS NULL")
            #expect(isGone == "true")
            let standing = try await SchemaMigrator(sessions[0].connection).standing()
            #expect(standing == .current)
        }
    }

    @Test func `what has no file any more is dropped, and what others have made stays`() async throws {
        try await withConnections(1, migrated: true) { sessions in
            try await sessions[0].run(
                """
                CREATE FUNCTION onboarding.former() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                CREATE VIEW onboarding.former_view AS SELECT 1 AS x; CREATE VIEW onboarding.former_views AS SELECT * FROM onboarding.former_view;
                CREATE TRIGGER former_trigger BEFORE INSERT ON onboarding.jobs FOR EACH ROW EXECUTE FUNCTION onboarding.former();
                CREATE FUNCTION onboarding.the_companys() RETURNS integer LANGUAGE sql AS 'SELECT 1';
                INSERT INTO onboarding.sources (name, digest, object, revision) VALUES
                    ('former', '', 'FUNCTION onboarding.former()', 0), ('former_view', '', 'VIEW onboarding.former_view', 0),
                    ('former_views', '', 'VIEW onboarding.former_views', 0),
                    ('former_trigger', '', 'TRIGGER former_trigger ON onboarding.jobs', 0),
                    ('gone_already', '', 'FUNCTION onboarding.gone_already()', 0);
                """)
            let changes = try await SchemaMigrator(sessions[0].connection).migrate()
            #expect(changes.dropped.sorted() == ["former", "former_trigger", "former_view", "former_views"])
            #expect(changes.replaced == [])
            let left = "SELECT count(*) FROM onboarding.sources WHERE name LIKE 'former%' OR name LIKE 'gone%'"
            #expect(try await sessions[0].value(left) == "0")
            #expect(try await sessions[0].value("onboarding.the_companys()") == "1")
            #expect(try await SchemaMigrator(sessions[0].connection).standing() == .current)
        }
    }
}
