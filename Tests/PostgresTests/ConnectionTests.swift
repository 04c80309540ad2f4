import Postgres
import TestKit
import Testing

/// Opens a connection to a database of its own, and closes both.
func withConnection<R: Sendable>(
    migrated: Bool = false, _ change: (inout ConnectionConfiguration) -> Void = { _ in },
    _ body: (Connection) async throws -> R
) async throws -> R {
    try await withTestDatabase(migrated: migrated) { string in
        var configuration = ConnectionConfiguration(connectionString: string)
        change(&configuration)
        let connection = try await Connection.open(configuration)
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }
}

@Suite(.timeLimit(.minutes(2))) struct ConnectionTests {
    @Test func `a statement returns its rows`() async throws {
        try await withConnection { connection in
            let rows = try await connection.query(Statement("SELECT 1::bigint AS one, 'a' AS letter"))
            #expect(rows.columns == ["one", "letter"])
            #expect(try rows[0].decode(Int64.self, "one") == 1)
            #expect(try rows[0].decode(String.self, at: 1) == "a")
        }
    }

    @Test func `the whole schema can be migrated`() async throws {
        try await withConnection(migrated: true) { connection in
            let rows = try await connection.query(Statement("SELECT max(version) FROM onboarding.migrations"))
            #expect(try rows[0].decode(Int.self, at: 0) >= 7)
        }
    }
}
