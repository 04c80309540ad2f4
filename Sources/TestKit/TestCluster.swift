import Glibc
package import Postgres

/// A PostgreSQL for the tests of one process.
///
/// The one that `ONBOARD_TEST_DATABASE_URL` names, or a private one that is made on first use.
package actor TestCluster {
    /// The cluster of this process.
    package static let shared = TestCluster()

    private var starting: Task<PostgresServer?, any Error>?

    /// The cluster's connection string; the role in it is a superuser.
    ///
    /// - Throws: ``PostgresServer/Failure`` if there is no PostgreSQL, or it does not start within a minute.
    package func connectionString() async throws -> ConnectionString {
        guard let server = try await server() else {
            return try ConnectionString(parsing: Self.environment("ONBOARD_TEST_DATABASE_URL") ?? "")
        }
        return try server.connectionString
    }

    /// The private server; nil where the environment names another.
    package func server() async throws -> PostgresServer? {
        if let starting { return try await starting.value }
        // Unstructured, since the first caller starts it for all, whatever becomes of that caller.
        let start = Task { () async throws -> PostgresServer? in
            guard Self.environment("ONBOARD_TEST_DATABASE_URL") == nil else { return nil }
            let server = try PostgresServer(settings: [
                "fsync = off", "full_page_writes = off", "max_connections = 500", "shared_buffers = 64MB",
                "max_prepared_transactions = 20",
                // What a company may set for all sessions, and what must change nothing.
                "timezone = 'America/New_York'", "datestyle = 'SQL, DMY'", "plpgsql.extra_errors = 'all'",
            ])
            try await server.start()
            return server
        }
        starting = start
        return try await start.value
    }

    /// A variable of this process.
    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
