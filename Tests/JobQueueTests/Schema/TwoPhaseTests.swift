import Postgres
import Testing

/// Inserts in transactions that are prepared for a two-phase commit, which may not notify.
@Suite struct TwoPhaseTests {
    @Test(arguments: ["PREPARE TRANSACTION", "prepare /* all */\n transaction"])
    func `a transaction that inserts can be prepared, whatever its jobs wait for`(prepare: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(
                SQL.enqueue() + SQL.enqueue("iron.customer.create", SQL.person, "order_key => 'k'")
                    + "SELECT onboarding.cancel(1);")
            try await session.run("SELECT setval('onboarding.last_wakeup_iron', 1)")
            let name = try await session.value("current_database()") ?? ""
            // Due, behind another, waiting for a job that has ended: each would notify at a commit.
            for insert in ["", "order_key => 'k'", "after_job_id => 1"] {
                try await session.run("BEGIN")
                try await session.run(SQL.enqueue("iron.customer.create", SQL.person, insert))
                try await session.run("\(prepare) '\(name)'")
                try await session.run("COMMIT PREPARED '\(name)'")
            }
            #expect(
                try await session.column("SELECT state FROM onboarding.jobs ORDER BY id")
                    == ["cancelled", "available", "available", "available", "cancelled"])
            // Nobody was woken: the next insert does it.
            #expect(try await session.value("pg_sequence_last_value('onboarding.last_wakeup_iron')") == "1")
        }
    }
}
