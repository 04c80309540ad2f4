import Postgres
import Testing

/// The plans of the hot statements, whatever the table holds and whatever the statistics say.
@Suite struct PlanTests {
    /// The plan of the claim's own statement, as auto_explain reports it.
    private func usesOnlyIndexes(_ session: Session, _ statement: String) async throws -> Bool {
        try await session.run("SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot()")
        let before = try await session.value("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'jobs'")
        _ = try await session.column(statement)
        try await session.run("SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot()")
        return try await session.value("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'jobs'") == before
    }

    /// Pages touched by one statement: the measure that no noise of the machine changes.
    private func buffers(_ session: Session, _ statement: String) async throws -> Int {
        let plan = try await session.column("SELECT 1").isEmpty ? "" : try await session.explainBuffers(statement)
        return plan.split(separator: "\n").first { $0.contains("shared hit=") }
            .flatMap { line in line.split(separator: "=").dropFirst().first?.split(separator: " ").first }
            .flatMap { Int($0) } ?? .max
    }

    @Test(arguments: [0, 10_000, 200_000])
    func `a claim walks its index and touches as many pages at any size`(rows: Int) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(
                SQL.worker("a")
                    + """
                    INSERT INTO onboarding.jobs (kind, payload)
                    SELECT 'iron.customer.create', '\(SQL.person)' FROM generate_series(1, \(rows));
                    """)
            // Statistics are as stale as can be: none were ever taken.
            #expect(try await usesOnlyIndexes(session, SQL.claim("a", "iron", 100)))
            try await session.run("ANALYZE onboarding.jobs")
            #expect(try await usesOnlyIndexes(session, SQL.claim("a", "iron", 100)))
            if rows > 0 { #expect(try await buffers(session, SQL.claim("a", "iron", 100)) < 6_000) }
        }
    }
}

extension Session {
    fileprivate func explainBuffers(_ statement: String) async throws -> String {
        let rows = try await connection.query(
            Statement("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) \(statement)"))
        return try rows.map { try $0.decode(String.self, at: 0) }.joined(separator: "\n")
    }
}
