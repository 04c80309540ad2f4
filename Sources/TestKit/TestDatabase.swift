import Glibc
import JobQueue
import Postgres

/// Makes databases for tests, each a clone of a template that is made once per process.
package actor TestDatabase {
    /// The one of this process.
    package static let shared = TestDatabase()

    /// Databases at one time. All tests start together, and each may open a dozen connections: without a bound a
    /// loaded machine runs out of them.
    private static let maximumAtOnce = 24

    private var template: Task<String, any Error>?
    private var count = 0
    private var inUse = 0
    private var queue: [CheckedContinuation<Void, Never>] = []

    /// Waits until fewer than the most are in use, and counts one more.
    func enter() async {
        guard inUse >= Self.maximumAtOnce else {
            inUse += 1
            return
        }
        // Bounded by the number of tests, each of which ends and then calls `leave`.
        await withCheckedContinuation { queue.append($0) }
    }

    /// Hands the place to the test that waits longest.
    func leave() {
        if queue.isEmpty { inUse -= 1 } else { queue.removeFirst().resume() }
    }

    /// Makes a database and returns its connection string.
    func make(migrated: Bool) async throws -> ConnectionString {
        var string = try await TestCluster.shared.connectionString()
        let template = migrated ? try await migratedTemplate() : "template0"
        count += 1
        let name = "onboard_test_\(getpid())_\(count)"
        try await run("CREATE DATABASE \(name) TEMPLATE \(template)")
        string["dbname"] = name
        return string
    }

    /// Drops a database with everybody in it.
    func drop(_ string: ConnectionString) async throws {
        guard let name = string["dbname"] else { return }
        try await run("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
    }

    private func migratedTemplate() async throws -> String {
        if let template { return try await template.value }
        // Unstructured, since the first caller makes it for all, whatever becomes of that caller.
        let making = Task { try await Self.makeTemplate() }
        template = making
        return try await making.value
    }

    private static func makeTemplate() async throws -> String {
        let name = "onboard_template_\(getpid())"
        let shared = TestDatabase.shared
        try await shared.run("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
        try await shared.run("CREATE DATABASE \(name) TEMPLATE template0")
        var string = try await TestCluster.shared.connectionString()
        string["dbname"] = name
        try await migrate(string)
        return name
    }

    fileprivate static func migrate(_ string: ConnectionString) async throws {
        let connection = try await Connection.open(ConnectionConfiguration(connectionString: string.keywordForm))
        do {
            _ = try await SchemaMigrator(connection).migrate()
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// Runs one statement on the cluster's own database.
    private func run(_ sql: String) async throws {
        let string = try await TestCluster.shared.connectionString()
        let connection = try await Connection.open(ConnectionConfiguration(connectionString: string.keywordForm))
        do {
            try await connection.run(script: sql, timeout: .seconds(60))
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }
}

/// Gives the body the connection string of a database of its own, and drops it afterwards, whatever happens.
///
/// - Parameter migrated: whether the project's schema is in it.
package func withTestDatabase<R>(migrated: Bool = true, _ body: (String) async throws -> R) async throws -> R {
    await TestDatabase.shared.enter()
    let result: Result<R, any Error>
    do {
        let string = try await TestDatabase.shared.make(migrated: migrated)
        do { result = .success(try await body(string.keywordForm)) } catch { result = .failure(error) }
        // The body's error says more than a failed clean-up; the whole cluster goes with the process anyway.
        try? await TestDatabase.shared.drop(string)
    } catch {
        result = .failure(error)
    }
    await TestDatabase.shared.leave()
    return try result.get()
}

/// Gives the body the connection string of a migrated database on a server of its own, whose clock it can move or which no
/// other test disturbs.
package func withOwnServer<R>(
    hasMovableClock: Bool = false, _ body: (String, PostgresServer) async throws -> R
) async throws -> R {
    let server = try PostgresServer(
        settings: ["fsync = off", "full_page_writes = off"], hasMovableClock: hasMovableClock)
    try await server.start()
    let string = try server.connectionString
    try await TestDatabase.migrate(string)
    let result: Result<R, any Error>
    do { result = .success(try await body(string.keywordForm, server)) } catch { result = .failure(error) }
    try await server.stop(.immediate)
    return try result.get()
}
