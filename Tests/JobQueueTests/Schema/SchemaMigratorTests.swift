import JobQueue
import Postgres
import SQLCatalog
import TestKit
import Testing

@Suite struct SchemaMigratorTests {
    private static let all = SQLCatalog.migrations.map(\.version)

    private func withConnections(_ count: Int, _ body: ([Connection]) async throws -> Void) async throws {
        try await withTestDatabase(migrated: false) { connectionString in
            var connections: [Connection] = []
            for _ in 0..<count {
                connections.append(
                    try await Connection.open(ConnectionConfiguration(connectionString: connectionString)))
            }
            do {
                try await body(connections)
            } catch {
                for connection in connections { await connection.close() }
                throw error
            }
            for connection in connections { await connection.close() }
        }
    }

    @Test func `an empty database is brought up to date, and once is enough`() async throws {
        try await withConnections(1) { connections in
            let migrator = SchemaMigrator(connections[0])
            let outcome1 = try await migrator.standing()
            #expect(outcome1 == .behind(Self.all))
            let outcome2 = try await migrator.migrate()
            #expect(outcome2 == Self.all)
            let outcome3 = try await migrator.standing()
            #expect(outcome3 == .current)
            let outcome4 = try await migrator.migrate()
            #expect(outcome4 == [])
        }
    }

    @Test func `of two migrators at once one works and the other waits`() async throws {
        try await withConnections(2) { connections in
            async let first = SchemaMigrator(connections[0]).migrate()
            async let second = SchemaMigrator(connections[1]).migrate()
            let done = try await first + second
            #expect(done == Self.all)
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `an upgrade waits for open transactions without holding up callers, and goes on`()
        async throws
    {
        try await withConnections(3) { connections in
            let (migrator, caller, monitor) = (connections[0], connections[1], connections[2])
            for migration in SQLCatalog.migrations where migration.version < 10 {
                try await migrator.run(script: "BEGIN; \(migration.sql); COMMIT")
            }
            let insert = SQL.enqueue()
            try await caller.run(script: "BEGIN; \(insert)")
            async let migrated = SchemaMigrator(migrator).migrate()
            // As dashboards and other callers do all the time: none may fail, or wait for as long as the caller's.
            let end = ContinuousClock.now + .seconds(6)
            while ContinuousClock.now < end {
                _ = try await monitor.query(Statement("SELECT * FROM onboarding.queue_health"), timeout: .seconds(4))
                try await monitor.run(script: insert, timeout: .seconds(4))
                try await Task.sleep(for: .milliseconds(50))
            }
            try await caller.run(script: "COMMIT")
            #expect(try await migrated == SQLCatalog.migrations.map(\.version).filter { $0 >= 10 })
            let kept = try await monitor.query(Statement("SELECT count(*) > 2 FROM onboarding.jobs"))
            #expect(try kept[0].decode(Bool.self, at: 0))
        }
    }

    @Test func `row security that an event trigger switches on hides nothing from those with rights`() async throws {
        try await withConnections(1) { connections in
            let a = Session(connection: connections[0])
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
            _ = try await SchemaMigrator(connections[0]).migrate()
            let shut = "SELECT relname FROM pg_class WHERE relnamespace = 'onboarding'::regnamespace AND relrowsecurity"
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
            // A partition that is made later is reached through its table.
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
        #expect(try await SchemaMigrator(owner).migrate().last == Self.all.last)
        await owner.close()
        await administrator.close()
        try await server.stop(.immediate)
    }

    @Test func `a step that fails leaves nothing of itself and frees the lock`() async throws {
        try await withConnections(2) { connections in
            // The third step makes this function.
            try await connections[0].run(
                script: "CREATE SCHEMA onboarding; CREATE FUNCTION onboarding.take_over(text, integer, bigint[]) "
                    + "RETURNS integer LANGUAGE sql AS 'SELECT 1'")
            do throws(PostgresError) {
                _ = try await SchemaMigrator(connections[0]).migrate()
                Issue.record("the step did not fail")
            } catch {
                #expect(error.sqlState?.code == "42723")
            }
            let outcome5 = try await SchemaMigrator(connections[1]).standing()
            #expect(outcome5 == .behind(Self.all.filter { $0 > 2 }))
            try await connections[1].run(script: "DROP FUNCTION onboarding.take_over(text, integer, bigint[])")
            let outcome6 = try await SchemaMigrator(connections[1]).migrate()
            #expect(outcome6 == Self.all.filter { $0 > 2 })
        }
    }

    @Test func `a schema of a later program is recognised and left alone`() async throws {
        try await withConnections(1) { connections in
            let migrator = SchemaMigrator(connections[0])
            _ = try await migrator.migrate()
            try await connections[0].run(
                script: "INSERT INTO onboarding.migrations (version, name) VALUES (9999, 'later')")
            let outcome7 = try await migrator.standing()
            #expect(outcome7 == .newer(9999))
            let outcome8 = try await migrator.migrate()
            #expect(outcome8 == [])
        }
    }
}
