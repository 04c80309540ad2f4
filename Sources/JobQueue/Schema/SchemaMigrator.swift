package import Kinds
package import Postgres
import SQLCatalog

/// Brings the schema to that of this program: migrations, functions, views, triggers and rights, in one transaction.
package struct SchemaMigrator: Sendable {
    /// How a database's schema compares with this program.
    package enum Standing: Sendable, Equatable {
        /// The same.
        case current
        /// These migrations are missing.
        case behind([Int])
        /// These functions, views, triggers or grants differ from this program's.
        case outdated([String])
        /// The schema is of a later program; one that is breaking for this program cannot be used.
        case newer(isBreaking: Bool)
        /// It was restored in part: these objects are missing, or switched off.
        case incomplete([String])
        /// It was restored where these roles were missing, or without privileges.
        case withoutRights([String])
        /// These kinds have no row.
        case withoutKinds([String])
        /// The rows of these kinds differ from the program's definitions.
        case withOtherKinds([String])
    }

    /// The changes that one run made.
    package struct Changes: Sendable, Equatable {
        /// The migrations that were run.
        package var migrations: [Int] = []
        /// The functions, views, triggers and grants that were replaced.
        package var replaced: [String] = []
        /// The functions, views and triggers that were dropped because this program has none of that name.
        package var dropped: [String] = []
        /// The kinds whose rows were written.
        package var kinds: [String] = []
        /// Whether the run changed nothing, except perhaps rights.
        package var isEmpty: Bool { migrations.isEmpty && replaced.isEmpty && dropped.isEmpty && kinds.isEmpty }
    }

    /// The advisory lock that lets one migrator work at a time; the number is this project's own.
    private static let lock: Int64 = 4_727_350_117_621

    let connection: Connection
    let tree: SchemaTree
    private let rows: KindRows
    private let patience: Duration
    private let report: @Sendable (String) -> Void

    /// Works over `connection`, which nothing else may use meanwhile.
    ///
    /// - Parameters:
    ///   - tree: the schema to bring about.
    ///   - registry: the kinds and providers that get rows.
    ///   - patience: the limit of the wait for another migrator, and of the wait for locks that others hold.
    ///   - report: called at most once, with a sentence that names the session waited for.
    package init(
        _ connection: Connection, tree: SchemaTree = .embedded, registry: Registry = .shipped,
        patience: Duration = .seconds(600),
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.connection = connection
        self.tree = tree
        rows = KindRows(registry)
        self.patience = patience
        self.report = report
    }

    /// The newest migration that this program knows.
    package static var newest: Int { SchemaTree.embedded.version }

    /// Tells how the database compares, without changing anything.
    package func standing() async throws(PostgresError) -> Standing {
        let (version, isBreaking) = try await version()
        let present = try await objects()
        if version == 0, present.contains("jobs") { return .incomplete(["the rows of the table migrations"]) }
        let revision = version > 0 && present.contains("sources") ? try await revision() : 0
        if version > tree.version || revision > tree.revision { return .newer(isBreaking: isBreaking) }
        let pending = tree.migrations.map(\.version).filter { $0 > version }
        guard pending.isEmpty else { return .behind(pending) }
        let missing = tree.objects.subtracting(present)
        guard missing.isEmpty else { return .incomplete(missing.sorted()) }
        let differing = try await compareSources().filter(\.isChanged).map(\.name)
        guard differing.isEmpty, revision == tree.revision else { return .outdated(differing.sorted()) }
        let strangers = tree.roles.subtracting(present)
        guard strangers.isEmpty else { return .withoutRights(strangers.sorted()) }
        let (without, other) = try await rows.stale(on: connection)
        return without.isEmpty ? other.isEmpty ? .current : .withOtherKinds(other) : .withoutKinds(without)
    }

    /// Brings the schema up to date in one transaction: runs missing migrations, replaces and drops functions, views and
    /// triggers, applies the grants, and writes the rows of the kinds.
    ///
    /// Safe to call from many processes at once: the others wait. A failure leaves the database unchanged. A schema that is up to
    /// date, or that a later program made, is left alone.
    package func migrate() async throws(PostgresError) -> Changes {
        try await takeLock()
        do {
            let changes = try await applyWhenFree()
            try await connection.run(script: "SELECT pg_advisory_unlock(\(Self.lock))")
            return changes
        } catch {
            // The error says more than a failed unlock would; closing the connection frees the lock as well.
            _ = try? await connection.run(script: "ROLLBACK; SELECT pg_advisory_unlock(\(Self.lock))")
            throw error
        }
    }

    /// Repairs what a restore of single tables, or of data alone, has left behind, and returns a sentence for each repair.
    package func repair() async throws(PostgresError) -> [String] {
        try await run("repair_restored").map { row throws(PostgresError) in try row.decode(String.self, at: 0) }
    }

    /// Waits for other migrators. Any login may take an advisory lock and keep it, so the error says who has it.
    private func takeLock() async throws(PostgresError) {
        let end = ContinuousClock.now + patience
        var isReported = false
        while true {
            let row = try await run("migration_lock", [.bigint(Self.lock)])[0]
            if try row.decode(Bool.self, at: 0) { return }
            let holder = try row.decode(String?.self, at: 1) ?? "a session that has just ended"
            guard ContinuousClock.now < end else {
                throw PostgresError(
                    .server, "onboarding: \(holder) has held the lock of migrations for \(patience): end it, or wait",
                    sqlState: .lockNotAvailable)
            }
            if !isReported {
                report("waiting for \(holder), which holds the lock of migrations, for at most \(patience)")
            }
            isReported = true
            // Cancelled: the next look ends it.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Applies everything, again and again while others hold what it has to lock: a statement that waits for a table's lock
    /// holds up all that come after it.
    private func applyWhenFree() async throws(PostgresError) -> Changes {
        let end = ContinuousClock.now + patience
        while true {
            do throws(PostgresError) {
                return try await apply()
            } catch {
                let isForLocks = error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
                guard isForLocks, ContinuousClock.now < end else { throw error }
                try await connection.run(script: "ROLLBACK")
                // Cancelled: the next try ends it.
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func apply() async throws(PostgresError) -> Changes {
        let standing = try await standing()
        switch standing {
        case .current, .newer: return Changes()
        case .behind, .outdated, .incomplete, .withoutRights, .withoutKinds, .withOtherKinds: break
        }
        let version = try await version().version
        // The search_path of the login must not change what names in the files mean.
        try await connection.run(script: "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL search_path = pg_catalog")
        var changes = Changes()
        for migration in tree.migrations where migration.version > version {
            try await connection.run(script: migration.sql, timeout: patience)
            _ = try await run(
                "record_migration",
                [.integer(migration.version), .text(migration.name), .boolean(migration.isBreaking)])
            changes.migrations.append(migration.version)
        }
        try await applySources(&changes)
        changes.kinds = try await rows.write(over: connection)
        // Workers that run look at once whether they can go on.
        try await connection.run(script: "NOTIFY onboarding_schema; COMMIT", timeout: patience)
        return changes
    }

    func objects() async throws(PostgresError) -> Set<String> {
        Set(try await run("schema_objects").map { row throws(PostgresError) in try row.decode(String.self, at: 0) })
    }

    private func version() async throws(PostgresError) -> (version: Int, isBreaking: Bool) {
        do {
            let row = try await run("schema_version", [.integer(tree.version)])[0]
            return (try row.decode(Int.self, at: 0), try row.decode(Bool.self, at: 1))
        } catch {
            // No table, or not even the schema.
            guard error.sqlState == .undefinedTable || error.sqlState == .undefinedSchema else { throw error }
            return (0, false)
        }
    }

    private func revision() async throws(PostgresError) -> Int {
        try await run("schema_revision")[0].decode(Int.self, at: 0)
    }

    func run(_ query: String, _ parameters: [Parameter] = []) async throws(PostgresError) -> Rows {
        try await connection.query(Statement(SQLCatalog.query(query), parameters: parameters))
    }
}
