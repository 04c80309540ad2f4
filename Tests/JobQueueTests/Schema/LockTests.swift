import Postgres
import Testing

/// A caller's open transaction delays its own job and what depends on it, nothing else.
@Suite struct LockTests {
    private static let kind = "iron.customer.create"

    /// What callers and operators may hold for long: each locks job 1, or what belongs to it.
    static let held = [
        "SELECT onboarding.cancel(1)", "SELECT 1 FROM onboarding.jobs WHERE id = 1 FOR UPDATE",
        "SELECT 1 FROM onboarding.jobs WHERE after_job_id = 1 FOR UPDATE",
        "SELECT pg_advisory_xact_lock(hashtextextended('iron k', 7463))",
        "SELECT pg_advisory_xact_lock(hashtextextended('onboarding.repair_restored', 0)), pg_advisory_xact_lock(hashtextextended('onboarding.claim iron', 1)), pg_advisory_xact_lock(hashtextextended('onboarding.claim iron', 2))",
        "SELECT onboarding.enqueue('iron.identification.create', '{\"type\": \"Direct\"}', after_job_id => 1)",
        "UPDATE onboarding.maintenance SET keep_history = keep_history",
        "SELECT 1 FROM onboarding.worker_leases FOR UPDATE",
        "UPDATE onboarding.kinds SET keep_finished = keep_finished",
        "UPDATE onboarding.providers SET updated_at = updated_at",
    ]

    /// 31 jobs, of which the first five have an order key and the first forty dependents.
    private func fill(_ session: Session) async throws {
        try await session.run(SQL.worker("a") + SQL.worker("b"))
        try await session.run(
            """
            INSERT INTO onboarding.jobs (kind, payload, order_key)
            SELECT '\(Self.kind)', '\(SQL.person)', CASE WHEN n <= 5 THEN 'k' END FROM generate_series(1, 31) n;
            INSERT INTO onboarding.jobs (kind, payload, after_job_id)
            SELECT '\(Self.kind)', '\(SQL.person)', 1 FROM generate_series(1, 40);
            """)
    }

    @Test(arguments: held)
    func `a lost worker's other jobs are taken over whatever somebody holds`(statement: String) async throws {
        try await withSessions(2) { sessions in
            let (worker, caller) = (sessions[0], sessions[1])
            try await fill(worker)
            #expect(try await worker.column(SQL.claim("a")).count == 27)
            try await worker.run(
                "UPDATE onboarding.worker_leases SET lease_expires_at = now() - interval '1 s' WHERE id = 'a'")
            try await caller.run("BEGIN; \(statement)")
            try await worker.run("SET lock_timeout = '300ms'")
            let taken = try await worker.value("onboarding.take_over('b', '{}'::bigint[], 500, true)")
            #expect(taken == "27" || taken == "26")
            try await caller.run("ROLLBACK")
            _ = try await worker.value("onboarding.take_over('b', '{}'::bigint[], 500, true)")
            #expect(try await worker.value("SELECT count(*) FROM onboarding.jobs WHERE state = 'running'") == "0")
        }
    }

    @Test(arguments: held)
    func `ends of other jobs are written and told whatever somebody holds`(statement: String) async throws {
        try await withSessions(2) { sessions in
            let (worker, caller) = (sessions[0], sessions[1])
            try await fill(worker)
            _ = try await worker.column(SQL.claim("a"))
            try await caller.run("BEGIN; \(statement)")
            try await worker.run("SET lock_timeout = '300ms'")
            let others = "onboarding.jobs WHERE state = 'running' AND id > 1"
            // A refusal concerns the provider's row as well.
            let refused = SQL.completeAll(
                "a", from: others + " AND id < 9", outcome: "unauthorized", state: "available")
            #expect(try await worker.column(refused.replacing("(true ORDER", with: "(false ORDER")).count == 3)
            #expect(try await worker.column(SQL.completeAll("a", from: others)).count == 23)
            try await caller.run("COMMIT")
        }
    }

    @Test func `marks of other jobs are written, and a job that somebody has locked is not sent`() async throws {
        try await withSessions(2) { sessions in
            let (worker, caller) = (sessions[0], sessions[1])
            for _ in 1...3 { try await worker.run(SQL.enqueue("connect.individual.create", SQL.connect)) }
            try await worker.run(SQL.worker("a"))
            _ = try await worker.column(SQL.claim("a", "connect"))
            try await caller.run("BEGIN; SELECT onboarding.cancel(2)")
            try await worker.run("SET lock_timeout = '300ms'")
            let marked = try await worker.column(
                "SELECT onboarding.mark_sent('a', array_agg(id), array_agg(claim_token)) FROM onboarding.jobs")
            #expect(marked.count == 2)
            try await caller.run("COMMIT")
        }
    }

    @Test func `the end of a job is written while its dependents are locked, and told to them once they are free`()
        async throws
    {
        try await withSessions(2) { sessions in
            let (worker, caller) = (sessions[0], sessions[1])
            try await fill(worker)
            _ = try await worker.column(SQL.claim("a"))
            try await caller.run(
                "BEGIN; SELECT 1 FROM onboarding.jobs WHERE after_job_id = 1 AND id % 2 = 0 FOR UPDATE")
            try await worker.run("SET lock_timeout = '100ms'")
            #expect(try await worker.column(SQL.completeAll("a")).count == 27)
            let blocked = "SELECT count(*) FROM onboarding.jobs WHERE state = 'blocked'"
            #expect(try await worker.value(blocked) == "20")
            #expect(try await worker.value("onboarding.repair_ends(10)") == "1")
            #expect(try await worker.value(blocked) == "20")
            #expect(try await worker.value("onboarding.has_work('{iron}')") == "true")
            try await caller.run("COMMIT")
            #expect(try await worker.value("onboarding.repair_ends(10)") == "1")
            #expect(try await worker.value(blocked) == "0")
            #expect(try await worker.value("SELECT count(*) FROM onboarding.unsettled_ends") == "0")
        }
    }

    @Test func `a cancel of a head whose dependents are locked cancels them once they are free`() async throws {
        try await withSessions(2) { sessions in
            let (caller, other) = (sessions[0], sessions[1])
            try await fill(caller)
            try await other.run("BEGIN; SELECT 1 FROM onboarding.jobs WHERE id = 40 FOR UPDATE")
            try await caller.run("SET lock_timeout = '300ms'; SELECT onboarding.cancel(1)")
            try await other.run("COMMIT")
            _ = try await caller.value("onboarding.repair_ends(10)")
            #expect(try await caller.value("SELECT count(*) FROM onboarding.jobs WHERE state = 'cancelled'") == "41")
        }
    }

    @Test(arguments: held)
    func `other jobs expire whatever somebody holds`(statement: String) async throws {
        try await withSessions(2) { sessions in
            let (worker, caller) = (sessions[0], sessions[1])
            try await fill(worker)
            try await worker.run("UPDATE onboarding.jobs SET expires_at = now() - interval '1 s' WHERE id <= 31")
            try await caller.run("BEGIN; \(statement)")
            try await worker.run("SET lock_timeout = '300ms'")
            // All but job 1 and, where that is being cancelled, the next of its order key.
            let expired = try await worker.value("onboarding.expire_jobs(500)")
            #expect(Int(expired ?? "") ?? 0 >= 29)
            try await caller.run("COMMIT")
        }
    }

    @Test func `late evidence of a job that somebody has locked is seen to afterwards`() async throws {
        try await withSessions(2) { sessions in
            let (worker, caller) = (sessions[0], sessions[1])
            try await worker.run(SQL.enqueue("connect.individual.create", SQL.connect) + SQL.worker("a"))
            _ = try await worker.column(SQL.claim("a", "connect"))
            let token = try await worker.value("SELECT claim_token + 1 FROM onboarding.jobs")
            _ = try await worker.column(
                SQL.complete("a", 1, outcome: "ambiguous", state: "uncertain", providerID: nil))
            try await caller.run("BEGIN; SELECT 1 FROM onboarding.jobs FOR UPDATE")
            try await worker.run("SET lock_timeout = '300ms'")
            // The doubt that the call left is a write to the job itself.
            await #expect(throws: PostgresError.self) {
                try await worker.column(SQL.complete("a", 1, token: token, providerID: "late-1"))
            }
            try await caller.run("COMMIT")
            try await worker.run("INSERT INTO onboarding.late_successes VALUES (1, 5, 'late-1', NULL, 'a')")
            #expect(try await worker.value("onboarding.repair_ends(10)") == "1")
            #expect(try await worker.value("SELECT state FROM onboarding.jobs") == "completed")
        }
    }
}
