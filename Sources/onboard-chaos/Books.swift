import Foundation
import Postgres
import TestKit

/// Compares the jobs, the journal and the ledger.
struct Books: Sendable {
    /// What one invariant found.
    struct Finding: Sendable {
        let invariant: String
        /// Up to twenty violations: a job's number, or nothing, and what is wrong.
        let violations: [(job: String?, problem: String)]
    }

    let stage: Stage
    let mark: String
    private let queries: [(name: String, sql: String)]

    /// Reads the invariants from `books.sql`.
    init(_ stage: Stage, mark: String, sqlFolder: URL) throws {
        self.stage = stage
        self.mark = mark
        let text = try String(contentsOf: sqlFolder.appendingPathComponent("books.sql"), encoding: .utf8)
        queries = text.components(separatedBy: "-- invariant: ").dropFirst().map { part in
            let lines = part.split(separator: "\n", maxSplits: 1)
            return (String(lines[0]), lines.count > 1 ? String(lines[1]) : "")
        }
    }

    /// Brings the callers' and the providers' books into the database.
    func open(committed: [Int64]) async throws {
        try await stage.desk.run("TRUNCATE chaos.enqueued")
        for part in stride(from: 0, to: committed.count, by: 10_000) {
            let ids = committed[part..<min(part + 10_000, committed.count)].map { "(\($0))" }.joined(separator: ",")
            try await stage.desk.run("INSERT INTO chaos.enqueued VALUES \(ids) ON CONFLICT DO NOTHING")
        }
        try await stage.copyLedger()
        try await stage.desk.run(
            """
            TRUNCATE chaos.bodies;
            INSERT INTO chaos.bodies SELECT id, sha256(convert_to(payload::text, 'UTF8')) FROM onboarding.jobs;
            CREATE INDEX IF NOT EXISTS bodies_digest ON chaos.bodies (body_sha256);
            SELECT chaos.list_turns(); ANALYZE
            """, timeout: .seconds(120))
    }

    /// Every invariant, with what breaks it.
    func compare() async throws -> [Finding] {
        var findings: [Finding] = []
        for (name, sql) in queries {
            let query = sql.replacing(":mark", with: "'\(mark)'")
            do {
                let rows = try await stage.desk.rows(
                    "SELECT v.job::text, v.problem FROM (\(query)) AS v (job, problem) LIMIT 20", columns: 2,
                    timeout: .seconds(300))
                findings.append(Finding(invariant: name, violations: rows.map { ($0[0], $0[1] ?? "") }))
            } catch {
                // What was not checked does not hold; the others are still told.
                findings.append(Finding(invariant: name, violations: [(nil, "could not be checked: \(error)")]))
            }
        }
        return findings
    }

    /// A job's whole story, as an operator sees it.
    func story(of job: String) async throws -> String {
        let environment = ["ONBOARD_DATABASE_URL": try stage.server.connectionString.keywordForm]
        return try await Program.run("onboard", ["jobs", "show", job], environment: environment).output
    }
}
