import Postgres
import Testing

@Suite struct DependentTests {
    /// A dependent of job 1.
    private static let dependent = SQL.enqueue(
        "iron.identification.create", "{\"type\": \"Direct\"}", "after_job_id => 1")

    /// A job that runs, and a caller's transaction that has put in a dependent of it and is open.
    private func beginDependent(of worker: Session, in caller: Session) async throws {
        try await worker.run(SQL.enqueue() + SQL.worker("a"))
        _ = try await worker.column(SQL.claim("a"))
        try await caller.run("BEGIN;" + Self.dependent)
    }

    @Test func `a dependent runs when the job it waits for completes, with that job's provider id`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + Self.dependent)
            try await session.run(SQL.worker("a"))
            #expect(try await session.column(SQL.claim("a")) == ["1"])
            _ = try await session.column(SQL.complete("a", 1, providerID: "customer-7"))
            #expect(try await session.value("SELECT state FROM onboarding.jobs WHERE id = 2") == "available")
            let after = try await session.value(
                "SELECT after_provider_id FROM onboarding.claim('a', 'iron', 1, 1000, 1000, 1000)")
            #expect(after == "customer-7")
        }
    }

    @Test(arguments: ["failed", "cancelled"])
    func `a chain is cancelled, with the reason, when its head does not complete`(state: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(
                SQL.enqueue() + Self.dependent + SQL.enqueue("iron.customer.create", SQL.person, "after_job_id => 2"))
            try await session.run(SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            _ = try await session.column(SQL.complete("a", 1, outcome: "rejected", state: state, providerID: nil))
            #expect(
                try await session.column("SELECT state FROM onboarding.jobs ORDER BY id") == [
                    state, "cancelled", "cancelled",
                ])
            #expect(
                try await session.value("SELECT last_error FROM onboarding.jobs WHERE id = 2")
                    == "job 1, which this one waits for, ended \(state)")
        }
    }

    @Test(arguments: ["failed", "cancelled"])
    func `a job is retried with the jobs that its end had cancelled, or tells of them`(state: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            // The fourth is cancelled for a reason of its own.
            try await session.run(
                SQL.enqueue() + Self.dependent
                    + SQL.enqueue("iron.customer.create", SQL.person, "after_job_id => 2, order_key => 'k'")
                    + Self.dependent + "SELECT onboarding.cancel(4, 'not wanted');" + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            _ = try await session.column(SQL.complete("a", 1, outcome: "rejected", state: state, providerID: nil))
            let states = "SELECT state FROM onboarding.jobs ORDER BY id"
            try await session.run("BEGIN; SELECT onboarding.retry(1, 'alone')")
            #expect(try await session.column(states) == ["available", "cancelled", "cancelled", "cancelled"])
            let told = "SELECT reason FROM onboarding.transitions WHERE job_id = 1 AND reason LIKE 'retry%'"
            #expect(
                try await session.column(told) == [
                    "\"retry: alone; 2 jobs that were cancelled with it stay cancelled\""
                ])
            try await session.run("ROLLBACK; SELECT onboarding.retry(1, 'all', with_dependents => true)")
            #expect(try await session.column(states) == ["available", "blocked", "blocked", "cancelled"])
            #expect(try await session.column(told) == ["\"retry: all\""])
            let why =
                "SELECT reason FROM onboarding.transitions WHERE job_id IN (2, 3) AND to_state = 'blocked' AND from_state = 'cancelled' ORDER BY job_id"
            #expect(try await session.column(why) == ["\"retry of job 1: all\"", "\"retry of job 2: all\""])
            for job in 1...3 {
                #expect(try await session.column(SQL.claim("a")) == ["\(job)"])
                _ = try await session.column(SQL.complete("a", job))
            }
            #expect(try await session.column(states) == ["completed", "completed", "completed", "cancelled"])
        }
    }

    @Test func `a dependent in doubt is found out before it is cancelled`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(
                SQL.enqueue() + SQL.enqueue("iron.customer.create", SQL.person, "after_job_id => 1")
                    + SQL.enqueue("iron.customer.create", SQL.person, "after_job_id => 1"))
            try await session.run("SELECT onboarding.doubt_unfinished('iron', 'restored'); SELECT onboarding.cancel(3)")
            try await session.run(
                "UPDATE onboarding.jobs SET last_sent_at = NULL WHERE id = 1; SELECT onboarding.cancel(1)")
            let expected = "cancelled true, available true, available true"
            #expect(
                try await session.value(
                    "SELECT string_agg(state || ' ' || (cancel_requested_at IS NOT NULL), ', ' ORDER BY id) FROM onboarding.jobs"
                ) == expected)
        }
    }

    @Test func `a job that ends between the insert of its dependent and the commit still releases it`() async throws {
        try await withSessions(2) { sessions in
            let (caller, worker) = (sessions[0], sessions[1])
            try await beginDependent(of: worker, in: caller)
            _ = try await worker.column(SQL.complete("a", 1))
            #expect(try await caller.value("SELECT state FROM onboarding.jobs WHERE id = 2") == "blocked")
            try await caller.run("COMMIT")
            #expect(try await caller.value("SELECT state FROM onboarding.jobs WHERE id = 2") == "available")
        }
    }

    @Test func `a job that is about to end when its dependent is committed releases it afterwards`() async throws {
        try await withSessions(2) { sessions in
            let (caller, worker) = (sessions[0], sessions[1])
            try await beginDependent(of: worker, in: caller)
            try await worker.run("BEGIN")
            _ = try await worker.column(SQL.complete("a", 1))
            try await caller.run("COMMIT")
            _ = try await caller.value("onboarding.repair_ends(10)")
            try await worker.run("COMMIT")
            #expect(try await caller.value("SELECT state FROM onboarding.jobs WHERE id = 2") == "blocked")
            _ = try await caller.value("onboarding.repair_ends(10)")
            #expect(try await caller.value("SELECT state FROM onboarding.jobs WHERE id = 2") == "available")
            #expect(try await caller.value("(SELECT count(*) FROM onboarding.unsettled_ends)") == "0")
        }
    }

    @Test(arguments: ["running", "failed"])
    func `ten thousand dependents of one job are committed in seconds`(state: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            if state == "failed" {
                _ = try await session.column(SQL.complete("a", 1, outcome: "rejected", state: state, providerID: nil))
            }
            let start = ContinuousClock.now
            try await session.run(
                """
                INSERT INTO onboarding.jobs (kind, payload, after_job_id)
                SELECT 'iron.customer.create', '\(SQL.person)', 1 FROM generate_series(1, 10000)
                """)
            // 169 s where each looks at all.
            #expect(ContinuousClock.now - start < .seconds(20))
            let left = state == "failed" ? "cancelled" : "blocked"
            #expect(
                try await session.value("(SELECT count(*) FROM onboarding.jobs WHERE state = '\(left)')") == "10000")
            #expect(
                try await session.value("(SELECT count(*) FROM onboarding.unsettled_ends)")
                    == (state == "failed" ? "0" : "1"))
        }
    }

    @Test func `an open transaction with a dependent does not hold up the worker`() async throws {
        try await withSessions(2) { sessions in
            let (caller, worker) = (sessions[0], sessions[1])
            try await beginDependent(of: worker, in: caller)
            try await worker.run("SET lock_timeout = '1s'")
            #expect(try await worker.column(SQL.complete("a", 1)) == ["t"])
            try await caller.run("ROLLBACK")
        }
    }

    @Test func `one key runs one at a time, in order`() async throws {
        try await withSessions(2) { sessions in
            let session = sessions[0]
            for _ in 1...3 {
                try await session.run(SQL.enqueue("iron.customer.create", SQL.person, "order_key => 'k'"))
            }
            try await session.run(SQL.enqueue())
            try await session.run(SQL.worker("a") + SQL.worker("b"))
            #expect(try await session.column(SQL.claim("a")) == ["1", "4"])
            #expect(try await sessions[1].column(SQL.claim("b")) == [])
            #expect(try await session.value("SELECT string_agg(reason, ',') FROM onboarding.why(2)") == "order")
            _ = try await session.column(SQL.complete("a", 1))
            #expect(try await sessions[1].column(SQL.claim("b")) == ["2"])
        }
    }

    @Test func `a head that waits for its retry keeps its followers waiting`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            for _ in 1...2 {
                try await session.run(SQL.enqueue("iron.customer.create", SQL.person, "order_key => 'k'"))
            }
            try await session.run(SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "unavailable", state: "available", delay: 60_000, providerID: nil))
            #expect(try await session.column(SQL.claim("a")) == [])
        }
    }

    @Test func `two claims that race for a late-committed key cannot both win`() async throws {
        try await withSessions(2) { sessions in
            let (late, early) = (sessions[0], sessions[1])
            try await late.run(SQL.worker("a") + SQL.worker("b"))
            try await late.run("BEGIN;" + SQL.enqueue("iron.customer.create", SQL.person, "order_key => 'k'"))
            try await early.run(SQL.enqueue("iron.customer.create", SQL.person, "order_key => 'k'"))
            #expect(try await early.column(SQL.claim("a")) == ["2"])
            try await late.run("COMMIT")
            #expect(try await late.column(SQL.claim("b")) == [])
        }
    }
}
