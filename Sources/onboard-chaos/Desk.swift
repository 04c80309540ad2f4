import Postgres

/// The campaign's own access to the database, past the link that it breaks.
///
/// Everything is tried again until it succeeds or half a minute has passed: the server is away now and then.
struct Desk: Sendable {
    private let pool: Pool

    init(_ url: String) {
        var configuration = ConnectionConfiguration(connectionString: url, applicationName: "chaos")
        configuration.statementTimeout = .seconds(60)
        configuration.lockTimeout = .seconds(30)
        pool = Pool(configuration, size: 4)
    }

    /// Runs statements for their effect; they must bear being run twice.
    func run(_ script: String, timeout: Duration = .seconds(60)) async throws {
        try await persistently {
            try await pool.withConnection { try await $0.run(script: script, timeout: timeout) }
        }
    }

    /// The rows of a query, each value as PostgreSQL prints it.
    func rows(_ sql: String, columns: Int = 1, timeout: Duration = .seconds(60)) async throws -> [[String?]] {
        try await persistently {
            let rows = try await pool.query(Statement(sql), timeout: timeout)
            return try rows.map { row in
                try (0..<columns).map { try row.decode(String?.self, at: $0) }
            }
        }
    }

    /// One number; a look that hangs is taken again soon, over another connection.
    func count(_ sql: String) async throws -> Int {
        Int(try await rows("SELECT (\(sql))::text", timeout: .seconds(10))[0][0] ?? "") ?? 0
    }

    func close() async { await pool.shutdown() }

    private func persistently<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let end = ContinuousClock.now + .seconds(30)
        while true {
            do {
                return try await body()
            } catch {
                // A mistake in a statement does not get better.
                if let error = error as? PostgresError, error.code == .server, !error.isRetryable,
                    !error.isConnectionLost,
                    error.sqlState?.isClass("57") != true, error.sqlState?.isClass("53") != true
                {
                    throw error
                }
                guard ContinuousClock.now < end else { throw error }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
