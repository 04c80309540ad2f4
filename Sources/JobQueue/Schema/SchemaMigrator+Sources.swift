import Postgres
import SQLCatalog

/// Replaces functions, views, triggers and grants that differ from their files.
extension SchemaMigrator {
    /// The name under which the grants are recorded.
    private static let grants = "grants"

    /// A file of the tree compared with its record in the database. A recorded object may have no file any more.
    struct Comparison {
        let name: String
        /// The file's digest; nil when the file no longer exists.
        let digest: String?
        let isChanged: Bool
        /// The object that it made when it was last applied.
        let object: String?
    }

    /// The state of one replacement, shared by its steps.
    private struct Replacement {
        /// The sources to make. Views that depend on a changed object are added on the way.
        var pending: Set<String>
        /// The objects of each name that the database has.
        var objects: [String: [String]]
        /// The object that each source made when it was last applied.
        let recorded: [String: String]
    }

    /// Compares the files with the database; all differ where it has no record of them.
    func compareSources() async throws(PostgresError) -> [Comparison] {
        let names = tree.sources.map(\.name) + [Self.grants]
        let texts = tree.sources.map(\.sql) + [tree.grants]
        return try await run("changed_sources", [.texts(names), .texts(texts)]).map { row throws(PostgresError) in
            Comparison(
                name: try row.decode(at: 0), digest: try row.decode(at: 1), isChanged: try row.decode(at: 2),
                object: try row.decode(at: 3))
        }
    }

    /// In the open transaction: makes missing and differing objects, drops objects without a file, and applies the grants.
    func applySources(_ changes: inout Changes) async throws(PostgresError) {
        let comparisons = try await compareSources()
        let present = try await objects()
        let known = Set(tree.sources.map(\.name))
        let differing = comparisons.filter { $0.digest != nil && $0.isChanged }.map(\.name)
        var replacement = Replacement(
            pending: known.intersection(differing).union(known.subtracting(present)),
            objects: try await sourceObjects(),
            recorded: Dictionary(
                uniqueKeysWithValues: comparisons.compactMap { row in row.object.map { (row.name, $0) } }))
        // A function may be made before one that it calls, so bodies are checked at the end.
        try await connection.run(script: "SET LOCAL check_function_bodies = off")
        for source in tree.sources where replacement.pending.contains(source.name) {
            try await make(source, &replacement)
            changes.replaced.append(source.name)
        }
        changes.dropped = try await drop(comparisons.filter { $0.digest == nil && $0.object != nil })
        try await connection.run(script: "SET LOCAL check_function_bodies = on")
        _ = try await run("check_functions", [.texts(changes.replaced)])
        try await connection.run(script: tree.grants)
        if differing.contains(Self.grants) { changes.replaced.append(Self.grants) }
        // Without partitions for the coming months, history would go into the default partition.
        try await connection.run(script: "SELECT onboarding.make_partitions()")
        let objects = try await sourceObjects()
        let kept = comparisons.filter { $0.digest != nil }
        _ = try await run(
            "record_sources",
            [
                .texts(kept.map(\.name)), .texts(kept.map(\.digest)), .texts(kept.map { objects[$0.name]?.first }),
                .integer(tree.revision),
            ])
    }

    /// The functions, views and triggers of the database by name, each as DROP names it.
    private func sourceObjects() async throws(PostgresError) -> [String: [String]] {
        var objects: [String: [String]] = [:]
        for row in try await run("source_objects") {
            objects[try row.decode(at: 0), default: []].append(try row.decode(at: 1))
        }
        return objects
    }

    private func make(_ source: Source, _ replacement: inout Replacement) async throws(PostgresError) {
        let before = replacement.objects[source.name] ?? []
        if case .trigger = source.kind {
            for object in before { try await connection.run(script: "DROP \(object)") }
            return try await connection.run(script: source.sql)
        }
        do throws(PostgresError) {
            try await connection.run(script: "SAVEPOINT made; \(source.sql)")
        } catch {
            // Its columns or its result type changed: PostgreSQL cannot replace it, so it is dropped and made again.
            let isOfOtherForm = error.sqlState?.code == "42P16" || error.sqlState?.code == "42P13"
            guard isOfOtherForm, !before.isEmpty else { throw error }
            try await connection.run(script: "ROLLBACK TO SAVEPOINT made")
            try await dropDependents(of: source, &replacement)
            for object in before { try await connection.run(script: "DROP \(object)") }
            return try await connection.run(script: source.sql)
        }
        // With other parameters it is a second function, and the former one is dropped.
        guard source.kind == .function, let former = replacement.recorded[source.name],
            try await sourceObjects()[source.name, default: []].count > before.count
        else { return }
        try await dropDependents(of: source, &replacement)
        try await connection.run(script: "DROP \(former)")
    }

    /// Drops the views and triggers that name a source. They are made again afterwards.
    private func dropDependents(of source: Source, _ replacement: inout Replacement) async throws(PostgresError) {
        for dependent in tree.sources
        where dependent.references.contains(source.name) && dependent.name != source.name && dependent.kind != .function
        {
            guard let objects = replacement.objects.removeValue(forKey: dependent.name) else { continue }
            replacement.pending.insert(dependent.name)
            try await dropDependents(of: dependent, &replacement)
            for object in objects { try await connection.run(script: "DROP \(object)") }
        }
    }

    /// Drops objects that have no file any more: triggers first, then views, then functions.
    private func drop(_ gone: [Comparison]) async throws(PostgresError) -> [String] {
        let objects = try await sourceObjects()
        let present = gone.filter { row in objects[row.name]?.contains(row.object ?? "") ?? false }
        for kind in ["TRIGGER", "VIEW", "FUNCTION"] {
            let named = present.compactMap(\.object).filter { $0.hasPrefix("\(kind) ") }
            if kind == "TRIGGER" {
                for object in named { try await connection.run(script: "DROP \(object)") }
            } else if !named.isEmpty {
                // In one statement, since they may name each other.
                let list = named.map { String($0.dropFirst(kind.count + 1)) }.joined(separator: ", ")
                try await connection.run(script: "DROP \(kind) \(list)")
            }
        }
        return present.map(\.name)
    }
}
