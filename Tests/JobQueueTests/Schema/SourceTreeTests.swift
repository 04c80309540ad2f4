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

    /// PostgreSQL inlines a function in SQL only if it has no settings of its own, and plans any other at each call:
    /// 0.3 ms for a claim. PL/pgSQL keeps its plans for as long as the session lasts.
    @Test func `nothing that claims, writes results or wakes is planned at each call`() throws {
        let folders = ["claiming", "clock", "completion", "dependents", "leases", "limits", "order_keys", "wakeups"]
        for folder in folders {
            let files = try FileManager.default.contentsOfDirectory(
                atPath: Self.folder.appendingPathComponent(folder).path)
            #expect(!files.isEmpty)
            for file in files {
                let text = try String(
                    contentsOf: Self.folder.appendingPathComponent(folder).appendingPathComponent(file), encoding: .utf8
                )
                let head = text.prefix(upTo: text.firstRange(of: "AS $$")?.lowerBound ?? text.endIndex)
                let isPlanned =
                    head.contains("LANGUAGE sql") && (head.contains(" SET ") || head.contains("SECURITY DEFINER"))
                #expect(!isPlanned, "\(file)")
            }
        }
    }

    @Test func `the functions, views and triggers of a database are those of the files`() async throws {
        try await withSessions { sessions in
            let names = """
                SELECT proname FROM pg_proc WHERE pronamespace = 'onboarding'::regnamespace
                UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'onboarding'::regnamespace AND relkind = 'v'
                UNION ALL SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                    WHERE relnamespace = 'onboarding'::regnamespace AND NOT tgisinternal AND tgparentid = 0
                ORDER BY 1
                """
            #expect(
                try await sessions[0].column(names).compactMap { $0 }.sorted()
                    == SQLCatalog.sources.map(\.name).sorted())
            let rows = try await sessions[0].connection.query(
                Statement(
                    """
                    SELECT proname::text, prosrc, pg_get_function_identity_arguments(oid) FROM pg_proc
                    WHERE pronamespace = 'onboarding'::regnamespace AND prosqlbody IS NULL
                    """))
            #expect(rows.count > 80)
            for row in rows {
                let (name, body) = (try row.decode(String.self, at: 0), try row.decode(String.self, at: 1))
                let file = SQLCatalog.sources.first { $0.name == name }?.sql ?? ""
                #expect(file.contains(body), "\(name)")
            }
            // What has no text of its own, such as a view: made again from its file it is the same.
            let state = """
                SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'onboarding'::regnamespace
                UNION ALL SELECT concat(c.relname, pg_get_viewdef(c.oid)) FROM pg_class c
                    WHERE c.relnamespace = 'onboarding'::regnamespace AND c.relkind = 'v'
                UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT tgisinternal
                ORDER BY 1
                """
            let before = try await sessions[0].column(state)
            try await sessions[0].run("UPDATE onboarding.sources SET digest = ''")
            let changes = try await SchemaMigrator(sessions[0].connection).migrate()
            #expect(changes.replaced == SQLCatalog.sources.map(\.name) + ["grants"])
            #expect(try await sessions[0].column(state) == before)
        }
    }

    @Test func `a header names the functions, views, triggers and statements that call it, and no others`() {
        let texts = SQLCatalog.sources.map { ("`\($0.name)`", $0.name, $0.references) }
        let statements = SQLCatalog.queries.compactMap { name, sql in
            Source(path: "topic/\(name).sql", sql: sql).map { ("queries/\(name).sql", "", $0.references) }
        }
        for source in SQLCatalog.sources where source.kind == .function {
            let header = source.sql.components(separatedBy: "\n-- Callers: ").last?.components(
                separatedBy: "\n-- Locks: "
            ).first
            let callers = (header ?? "").replacing("\n--", with: "")
            for (label, name, references) in texts + statements where name != source.name {
                #expect(callers.contains(label) == references.contains(source.name), "\(source.name): \(label)")
            }
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
                    AND c.relname !~ '^((attempts|state_changes)_(first|rest|2)|last_wakeup_)' AND c.relkind IN ('r', 'p', 'v', 'S', 'i', 'I')
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
