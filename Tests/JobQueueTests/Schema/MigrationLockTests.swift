import JobQueue
import Postgres
import TestKit
import Testing

/// The lock of migrations, which any login may take.
@Suite struct MigrationLockTests {
    @Test func `who holds the lock of migrations is named, once at the beginning and at the end of the patience`()
        async throws
    {
        try await withSessions(2) { sessions in
            let (other, own) = (sessions[0], sessions[1])
            try await other.run("SET application_name = 'somebody'; SELECT pg_advisory_lock(4727350117621)")
            let pid = try await other.value("pg_backend_pid()") ?? ""
            let (reports, continuation) = AsyncStream.makeStream(of: String.self)
            let migrator = SchemaMigrator(own.connection, patience: .milliseconds(500)) { continuation.yield($0) }
            do throws(PostgresError) {
                _ = try await migrator.migrate()
                Issue.record("it did not wait")
            } catch {
                #expect(error.message.contains("the session \(pid) of the login "))
                #expect(error.message.contains("(somebody)"))
            }
            continuation.finish()
            var told: [String] = []
            for await report in reports { told.append(report) }
            #expect(told.count == 1)
            #expect(told.first?.contains(pid) == true)
            try await other.run("SELECT pg_advisory_unlock(4727350117621)")
            #expect(try await migrator.migrate().isEmpty)
            // Given back as well.
            #expect(try await other.value("pg_try_advisory_lock(4727350117621)") == "true")
        }
    }
}
