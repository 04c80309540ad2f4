import Foundation
import SQLCatalog
import TestKit
import Testing

/// `sql/schema.sql` is what reviewers read; here it is held against what the migrations make.
@Suite struct SnapshotTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func `the snapshot is the schema that the migrations make`() async throws {
        let file = Self.root.appendingPathComponent("sql/schema.sql")
        try await withTestDatabase { connectionString in
            let dump = try Self.dump(connectionString)
            if ProcessInfo.processInfo.environment["ONBOARD_UPDATE_SNAPSHOT"] != nil {
                try dump.write(to: file, atomically: true, encoding: .utf8)
            }
            let snapshot = try String(contentsOf: file, encoding: .utf8)
            let difference = zip(dump.split(separator: "\n"), snapshot.split(separator: "\n")).first { $0 != $1 }
            #expect(
                dump == snapshot,
                """
                sql/schema.sql is not what the migrations make; first difference: \(String(describing: difference)). \
                Run: ONBOARD_UPDATE_SNAPSHOT=1 ops/test --filter SnapshotTests
                """)
        }
    }

    @Test func `the catalogue has every migration and query of the folder`() throws {
        let migrations = try Self.names("sql/migrations")
        #expect(
            SQLCatalog.migrations.map { "\(String(format: "%04d", $0.version))_\($0.name).sql" } == migrations)
        for migration in SQLCatalog.migrations {
            let row =
                "INSERT INTO onboarding.migrations (version, name) VALUES (\(migration.version), '\(migration.name)');"
            #expect(migration.sql.contains(row))
        }
        #expect(SQLCatalog.queries.keys.sorted().map { $0 + ".sql" } == (try Self.names("sql/queries")))
    }

    private static func names(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(folder).path).sorted()
    }

    /// The schema as `pg_dump` prints it, without what differs from run to run.
    private static func dump(_ connectionString: String) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "pg_dump", "--schema-only", "--schema=onboarding", "--no-owner", "--dbname=\(connectionString)",
            // Named after the month.
            "--exclude-table=onboarding.attempts_2*", "--exclude-table=onboarding.state_changes_2*",
        ]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "pg_dump failed; it comes with postgresql-client")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter {
            !$0.hasPrefix("--") && !$0.hasPrefix("SET ") && !$0.hasPrefix("SELECT pg_catalog.set_config")
                && !$0.hasPrefix("\\")
        }
        return lines.joined(separator: "\n").replacingOccurrences(
            of: "\n{3,}", with: "\n\n", options: .regularExpression
        )
        .replacingOccurrences(
            of: "\\(MINVALUE\\) TO \\('[^']*'\\)", with: "(MINVALUE) TO ('the month after the migration')",
            options: .regularExpression
        )
        .trimmingCharacters(in: .whitespacesAndNewlines) + "\n"
    }
}
