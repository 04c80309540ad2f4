import Foundation
import JobQueue
import Postgres
import SQLCatalog
import TestKit
import Testing

/// The tree `sql/`: what its files are, and that a database has what they say.
@Suite struct SourceTreeTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("sql")

    @Test func `every file is embedded as what its folder says`() throws {
        let files = try FileManager.default.subpathsOfDirectory(atPath: Self.folder.path).filter {
            $0.hasSuffix(".sql")
        }
        #expect(files.count > 150)
        let names = SQLCatalog.sources.map(\.name)
        #expect(Set(names).count == names.count, "two files have one name")
        for file in files {
            let text = try String(contentsOf: Self.folder.appendingPathComponent(file), encoding: .utf8)
            let parts = file.dropLast(4).split(separator: "/").map(String.init)
            switch parts[0] {
            case "migrations":
                let migration = SQLCatalog.migrations.first {
                    String(format: "%04d_\($0.name)", $0.version) == parts[1]
                }
                #expect(migration?.sql == text)
                #expect(text.hasPrefix("-- Breaking: yes.\n") || text.hasPrefix("-- Breaking: no.\n"), "\(file)")
            case "queries": #expect(SQLCatalog.queries[parts[1]] == text)
            case "grants": #expect(SQLCatalog.grants == text)
            default: #expect(SQLCatalog.sources.first { $0.name == parts[1] }?.sql == text, "\(file)")
            }
        }
        #expect(files.count == SQLCatalog.migrations.count + SQLCatalog.queries.count + names.count + 1)
    }

    @Test(arguments: SQLCatalog.sources.map(\.name))
    func `a file makes one object of its name, below a header`(name: String) throws {
        let source = try #require(SQLCatalog.sources.first { $0.name == name })
        let header = source.sql.prefix { $0 != "\n" }
        #expect(header.hasPrefix("-- "))
        let made = source.sql.split(separator: "\n").filter { $0.hasPrefix("CREATE ") }
        #expect(made.count == 1)
        let pattern = try Regex("(?:onboarding\\.| TRIGGER )\(name)\\b")
        #expect(made.first?.firstMatch(of: pattern) != nil)
        if case .function = source.kind {
            for part in ["\n-- Callers: ", "\n-- Locks: ", "\n-- Errors: "] { #expect(source.sql.contains(part)) }
        }
    }

    @Test func `each source comes after the views and functions that it names`() {
        var seen: Set<String> = []
        let names = Set(SQLCatalog.sources.map(\.name))
        for source in SQLCatalog.sources {
            seen.insert(source.name)
            // Bodies of functions are checked when all are there.
            if source.kind != .function {
                #expect(source.references.intersection(names).isSubset(of: seen), "\(source.name)")
            }
        }
    }

    @Test func `sources that name each other are ordered all the same`() {
        func source(_ name: String, _ text: String) -> Source? {
            Source(path: "topic/\(name).sql", sql: "-- X.\nCREATE OR REPLACE \(text)")
        }
        let made = [
            source("a", "FUNCTION onboarding.a() AS 'SELECT onboarding.b()'"),
            source("b", "FUNCTION onboarding.b() AS 'SELECT onboarding.a()'"),
            source("v", "VIEW onboarding.v AS SELECT * FROM onboarding.w"),
            source("w", "VIEW onboarding.w AS SELECT onboarding.a()"),
        ].compactMap { $0 }
        #expect(Source.ordered(made).map(\.name) == ["b", "a", "w", "v"])
    }

    @Test func `the names that a whole schema needs are those of a migrated one`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            // One that is missing is named; so each of the database's own names is taken away in turn.
            let names = try await session.column(
                """
                SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'onboarding'::regnamespace
                    AND c.relname !~ '^(attempts|state_changes)_(first|rest|2)' AND c.relkind IN ('r', 'p', 'v', 'S', 'i', 'I')
                UNION SELECT conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
                    WHERE c.connamespace = 'onboarding'::regnamespace AND t.relname !~ '^(attempts|state_changes)_(first|rest|2)'
                        AND c.contype IN ('c', 'p', 'u', 'f')
                UNION SELECT proname FROM pg_proc WHERE pronamespace = 'onboarding'::regnamespace
                UNION SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                    WHERE c.relnamespace = 'onboarding'::regnamespace AND NOT tgisinternal AND tgparentid = 0
                ORDER BY 1
                """)
            try await session.run("ALTER SCHEMA onboarding RENAME TO elsewhere; CREATE SCHEMA onboarding")
            try await session.run("CREATE TABLE onboarding.migrations AS SELECT * FROM elsewhere.migrations")
            guard case .incomplete(let missing) = try await SchemaMigrator(session.connection).standing() else {
                Issue.record("an empty schema is taken for a whole one")
                return
            }
            let rest = [
                "attempts_rest", "attempts_rest_claimed_at_idx", "state_changes_rest", "state_changes_rest_at_idx",
            ]
            #expect(Set(missing).subtracting(rest) == Set(names).subtracting(["migrations"]))
        }
    }
}
