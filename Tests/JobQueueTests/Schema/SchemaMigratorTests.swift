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
            try await migrator.run(script: SQL.firstKind)
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
