import Foundation
import JobQueue
import Postgres
import SQLCatalog
import Testing

/// What the programs of the release before this one need of the schema: between `onboard migrate` and the end of the last old
/// worker they run their statements on the new one.
///
/// A function whose parameters or result change gets a new name, and the old one stays for one release. Only a breaking migration
/// ends that. At a release, and whenever a statement changes before the first one, the record is written again:
///
///     ONBOARD_RECORD_RELEASE=0 ops/test --filter PreviousReleaseTests
///
/// with the release's `SQLCatalog.revision`; 0 until there is one.
@Suite struct PreviousReleaseTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../PreviousRelease/statements.sql")

    /// The record: a heading with numbers and a digest, then each statement below its name.
    struct Record: Equatable {
        var revision = 0
        var migration = 0
        var digest = ""
        var statements: [String: String] = [:]

        var text: String {
            let heading = "-- Revision \(revision), migration \(migration), digest \(digest).\n"
            return statements.sorted { $0.key < $1.key }.reduce(heading) {
                $0 + "\n-- Statement \($1.key)\n\($1.value)"
            }
        }

        init(revision: Int, migration: Int, digest: String, statements: [String: String]) {
            self.revision = revision
            self.migration = migration
            self.digest = digest
            self.statements = statements
        }

        init(text: String) {
            let parts = text.components(separatedBy: "\n-- Statement ")
            let words = parts[0].split { " ,.\n".contains($0) }.map(String.init)
            guard words.count == 7 else { return }
            revision = Int(words[2]) ?? 0
            migration = Int(words[4]) ?? 0
            digest = words[6]
            for part in parts.dropFirst() {
                guard let end = part.firstIndex(of: "\n") else { continue }
                statements[String(part[..<end])] = String(part[part.index(after: end)...])
            }
        }
    }

    /// The statements of the record that the schema refuses to prepare, with the reason.
    private static func refused(_ record: Record, _ session: Session) async throws -> [String] {
        var refused: [String] = []
        for (name, sql) in record.statements.sorted(by: { $0.key < $1.key }) {
            do throws(PostgresError) {
                try await session.connection.run(script: "PREPARE it AS \(sql); DEALLOCATE it")
            } catch {
                refused.append("\(name): \(error.message)")
            }
        }
        return refused
    }

    @Test func `the statements of the release before prepare, and a changed tree has a revision of its own`()
        async throws
    {
        try await withSessions { sessions in
            let tree = SQLCatalog.sources.sorted { $0.name < $1.name }.map(\.sql).joined() + SQLCatalog.grants
            let quoted = "'\(tree.replacing("'", with: "''"))'"
            let digest = try await sessions[0].value("encode(sha256(convert_to(\(quoted), 'UTF8')), 'hex')") ?? ""
            if let revision = ProcessInfo.processInfo.environment["ONBOARD_RECORD_RELEASE"].flatMap({ Int($0) }) {
                let record = Record(
                    revision: revision, migration: SchemaMigrator.newest, digest: digest, statements: SQLCatalog.queries
                )
                try record.text.write(to: Self.file, atomically: true, encoding: .utf8)
            }
            let record = Record(text: try String(contentsOf: Self.file, encoding: .utf8))
            #expect(record.statements.count > 30)
            let isBreaking = SQLCatalog.migrations.contains { $0.version > record.migration && $0.isBreaking }
            let refused = try await Self.refused(record, sessions[0])
            #expect(
                isBreaking || refused.isEmpty,
                """
                The release before this one cannot work any more: \(refused.joined(separator: "; ")). Give what changed a new \
                name, or, before the first release, run ONBOARD_RECORD_RELEASE=0 ops/test --filter PreviousReleaseTests
                """)
            #expect(
                digest == record.digest || SQLCatalog.revision > record.revision,
                "functions have changed since revision \(record.revision): raise SQLCatalog.revision")
        }
    }

    @Test func `a record is read as it was written, and a statement that does not prepare is named`() async throws {
        let record = Record(
            revision: 3, migration: 2, digest: "abc",
            statements: [
                "claim": "SELECT onboarding.claim_of_long_ago($1::text)\n", "announce": SQLCatalog.query("announce"),
                "view": "SELECT lost_column FROM onboarding.queue_health\n",
            ])
        #expect(Record(text: record.text) == record)
        try await withSessions { sessions in
            let refused = try await Self.refused(record, sessions[0])
            #expect(refused.count == 2)
            #expect(refused.first?.hasPrefix("claim: function onboarding.claim_of_long_ago") == true)
            #expect(refused.last?.contains("lost_column") == true)
        }
    }
}
