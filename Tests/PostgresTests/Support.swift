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

/// A pool on a database of its own.
func withPool(
    size: Int, acquireTimeout: Duration = .seconds(20), _ body: (Pool) async throws -> Void
) async throws {
    try await withTestDatabase(migrated: false) { string in
        let pool = Pool(
            ConnectionConfiguration(connectionString: string), size: size, acquireTimeout: acquireTimeout)
        do {
            try await body(pool)
            await pool.shutdown()
        } catch {
            await pool.shutdown()
            throw error
        }
    }
}

/// Asks again and again, at most twenty seconds, until the server's answer is true.
func eventually(_ connection: Connection, _ sql: String) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
        if try await connection.query(Statement(sql))[0].decode(Bool.self, at: 0) { return }
        await Task.yield()
    }
    Issue.record("never became true: \(sql)")
}

/// The error that the body throws, as a PostgresError.
func failure(_ body: () async throws -> Void) async throws -> PostgresError {
    do {
        try await body()
    } catch let error as PostgresError {
        return error
    } catch let error as TransactionError {
        return try #require(error.postgres)
    }
    struct NothingThrown: Error {}
    throw NothingThrown()
}

/// The error that the body's transaction throws.
func transactionFailure(_ body: () async throws -> Void) async throws -> TransactionError {
    do {
        try await body()
    } catch let error as TransactionError {
        return error
    }
    struct NothingThrown: Error {}
    throw NothingThrown()
}
