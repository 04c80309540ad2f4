package import Kinds
package import Postgres
import SQLCatalog

/// Brings the schema to the version of this program, one transaction a step.
package struct SchemaMigrator: Sendable {
    /// How a database's schema compares with this program.
    package enum Standing: Sendable, Equatable {
        /// The same.
        case current
        /// These migrations are missing.
        case behind([Int])
        /// The schema is of a later program, of this version.
        case newer(Int)
        /// It was restored in part: these objects are missing, or switched off.
        case incomplete([String])
        /// It was restored where these roles were missing, or without privileges.
        case withoutRights([String])
        /// These kinds have no row.
        case withoutKinds([String])
        /// The rows of these kinds are not what the program's definitions say.
        case withOtherKinds([String])
    }

    /// The advisory lock that lets one migrator work at a time; the number is this project's own.
    private static let lock = "4727350117621"

    /// How long to wait for another migrator, and for one step.
    private static let patience: Duration = .seconds(600)

    private let connection: Connection
    private let rows: KindRows

    /// Works over `connection`, which nothing else may use meanwhile.
    package init(_ connection: Connection, registry: Registry = .shipped) {
        self.connection = connection
        rows = KindRows(registry)
    }

    /// The newest version that this program knows.
    package static var newest: Int { SQLCatalog.migrations.last?.version ?? 0 }

    /// Tells how the database compares, without changing anything.
    package func standing() async throws(PostgresError) -> Standing {
        let version = try await version()
        if version > Self.newest { return .newer(version) }
        let present = try await objects()
        if version == 0, present.contains("jobs") { return .incomplete(["the rows of the table migrations"]) }
        let pending = SQLCatalog.migrations.map(\.version).filter { $0 > version }
        guard pending.isEmpty else { return .behind(pending) }
        let missing = SchemaSnapshot.objects.subtracting(present)
        guard missing.isEmpty else { return .incomplete(missing.sorted()) }
        let strangers = SchemaSnapshot.roles.subtracting(present)
        guard strangers.isEmpty else { return .withoutRights(strangers.sorted()) }
        let (without, other) = try await rows.stale(on: connection)
        return without.isEmpty ? other.isEmpty ? .current : .withOtherKinds(other) : .withoutKinds(without)
    }

    /// Runs what is missing and returns the versions that were run. Gives the roles their rights where a restore did not, and
    /// brings the rows of the kinds in line with the definitions.
    ///
    /// Safe to call from many processes at once: the others wait. A step that fails leaves its
    /// transaction undone and those before it done.
    package func migrate() async throws(PostgresError) -> [Int] {
        try await connection.run(
            script: "SET lock_timeout = 0; SELECT pg_advisory_lock(\(Self.lock))", timeout: Self.patience)
        do {
            let done = try await runMissing()
            if try await version() == Self.newest { try await rows.write(over: connection) }
            if case .withoutRights = try await standing() {
                let rights = SchemaSnapshot.rights.joined(separator: "\n")
                try await connection.run(
                    script: "BEGIN; SELECT onboarding.make_roles();\n\(rights)\nCOMMIT;", timeout: Self.patience)
            }
            try await connection.run(script: "SELECT pg_advisory_unlock(\(Self.lock))")
            return done
        } catch {
            // The error says more than a failed unlock would; closing the connection frees the lock as well.
            _ = try? await connection.run(script: "ROLLBACK; SELECT pg_advisory_unlock(\(Self.lock))")
            throw error
        }
    }

    /// Repairs what a restore of single tables, or of data alone, has left behind, and returns a sentence for each repair.
    package func repair() async throws(PostgresError) -> [String] {
        try await connection.query(Statement(SQLCatalog.query("repair_restored"))).map { row throws(PostgresError) in
            try row.decode(String.self, at: 0)
        }
    }

    private func objects() async throws(PostgresError) -> Set<String> {
        let rows = try await connection.query(Statement(SQLCatalog.query("schema_objects")))
        return Set(try rows.map { row throws(PostgresError) in try row.decode(String.self, at: 0) })
    }

    private func runMissing() async throws(PostgresError) -> [Int] {
        let version = try await version()
        var done: [Int] = []
        for migration in SQLCatalog.migrations where migration.version > version {
            try await run(migration)
            done.append(migration.version)
        }
        return done
    }

    /// Runs one step, again and again while others hold what it has to lock: as long as it waits, they wait behind it.
    private func run(_ migration: SQLCatalog.Migration) async throws(PostgresError) {
        let end = ContinuousClock.now + Self.patience
        while true {
            do throws(PostgresError) {
                let script = "BEGIN; SET LOCAL lock_timeout = '2s';\n\(migration.sql)\nCOMMIT;"
                return try await connection.run(script: script, timeout: Self.patience)
            } catch {
                let isForLocks = error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
                guard isForLocks, ContinuousClock.now < end else { throw error }
                try await connection.run(script: "ROLLBACK")
                // Cancelled: the next try ends it.
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func version() async throws(PostgresError) -> Int {
        do {
            return try await connection.query(Statement(SQLCatalog.query("schema_version")))[0].decode(Int.self, at: 0)
        } catch {
            // No table, or not even the schema.
            guard error.sqlState == .undefinedTable || error.sqlState?.code == "3F000" else { throw error }
            return 0
        }
    }
}
