import Postgres
import Testing

@Suite struct OperationsTests {
    @Test func `cancelling what never ran cancels it, with who and why`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue())
            #expect(try await session.value("onboarding.cancel(1, 'withdrawn')") == "cancelled")
            #expect(
                try await session.value(
                    "SELECT from_state || '>' || to_state || ' ' || reason FROM onboarding.state_changes")
                    == "available>cancelled withdrawn")
            #expect(
                await session.error("SELECT onboarding.cancel(1, 'again')")?.message
                    == "onboarding: job 1 is cancelled already")
            #expect(
                await session.error("SELECT onboarding.cancel(99, 'none')")?.message == "onboarding: 99 is not a job")
        }
    }

    @Test(arguments: [
        ("succeeded", "completed", "completed"), ("rejected", "failed", "cancelled"),
        ("not_sent", "available", "cancelled"), ("throttled", "available", "cancelled"),
    ])
    func `cancelling a running job lets the call end`(outcome: String, wanted: String, final: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            #expect(try await session.value("onboarding.cancel(1, 'withdrawn')") == "running")
            let reached = outcome == "succeeded"
            _ = try await session.column(
                SQL.complete("a", 1, outcome: outcome, state: wanted, reached: reached, providerID: reached ? "p" : nil)
            )
            #expect(try await session.value("SELECT state FROM onboarding.jobs") == final)
        }
    }

    @Test func `what may exist at the provider is looked up before it is cancelled`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "unavailable", state: "available", delay: 60_000, providerID: nil))
            #expect(try await session.value("onboarding.cancel(1, 'withdrawn')") == "available")
            #expect(
                try await session.value("SELECT step FROM onboarding.claim('a', 'iron', 1, 1000, true, 1000)")
                    == "look_up")
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "not_found", state: "available", counted: false, reached: false, providerID: nil,
                    step: "look_up"))
            #expect(try await session.value("SELECT state FROM onboarding.jobs") == "cancelled")
        }
    }

    @Test func `a retry keeps key and body, unless the provider refused them or the payload is new`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.worker("a"))
            let key = try await session.value("SELECT idempotency_key FROM onboarding.jobs")
            try await session.run("SELECT onboarding.cancel(1)")
            #expect(try await session.value("onboarding.retry(1, 'after all')") == key)
            _ = try await session.column(SQL.claim("a"))
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "rejected", state: "failed", reached: false, providerID: nil))
            let second = try await session.value("onboarding.retry(1, 'corrected at the provider')")
            #expect(second != key)
            try await session.run("SELECT onboarding.cancel(1)")
            let third = try await session.value(
                "onboarding.retry(1, 'corrected', '{\"customer_type\": \"Person\", \"email\": \"b@example.com\"}')")
            #expect(third != second)
            #expect(
                try await session.value(
                    "SELECT string_agg(old_key || '>' || new_key, ' ' ORDER BY id) FROM onboarding.state_changes WHERE reason LIKE 'retry%'"
                )
                    == "\(key!)>\(key!) \(key!)>\(second!) \(second!)>\(third!)")
            #expect(
                await session.error("SELECT onboarding.retry(1)")?.message.contains("only a failed or cancelled job")
                    == true)
        }
    }

    @Test func `a retried payload is checked like a new one`() async throws {
        try await withSessions { sessions in
            try await sessions[0].run(SQL.enqueue() + "SELECT onboarding.cancel(1)")
            #expect(await sessions[0].error("SELECT onboarding.retry(1, 'x', '[]')")?.column == "payload")
            #expect(await sessions[0].error("SELECT onboarding.retry(1, 'x', '{}')")?.column == "payload")
        }
    }

    @Test(arguments: [("'happened', 'connect-9'", "completed"), ("'did_not_happen'", "available")])
    func `a verdict ends the doubt`(verdict: String, state: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue("connect.individual.create", SQL.connect) + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "connect"))
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "ambiguous", state: "uncertain", providerID: nil))
            #expect(await session.error("SELECT onboarding.resolve(1, 'happened')")?.column == "provider_id")
            #expect(await session.error("SELECT onboarding.resolve(1, 'perhaps')")?.column == "verdict")
            #expect(try await session.value("onboarding.resolve(1, \(verdict), note => 'asked support')") == state)
            #expect(try await session.value("SELECT count(*) FROM onboarding.uncertain_jobs") == "0")
        }
    }

    @Test func `a provider is paused and resumed for all workers at once`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.worker("a"))
            try await session.run("SELECT onboarding.pause_provider('iron', 'maintenance')")
            #expect(try await session.column(SQL.claim("a")) == [])
            #expect(
                try await session.value("SELECT hint FROM onboarding.claim('a', 'iron', 1, 1, true, 1)") == "paused")
            #expect(try await session.value("SELECT detail FROM onboarding.why(1)") == "provider paused: maintenance")
            try await session.run("SELECT onboarding.resume_provider('iron')")
            #expect(try await session.column(SQL.claim("a")) == ["1"])
            #expect(await session.error("SELECT onboarding.pause_provider('nobody')")?.column == "provider")
            #expect(
                await session.error("SELECT onboarding.pause_provider('iron', 'x', '2001-01-01')")?.column == "until")
        }
    }
}
