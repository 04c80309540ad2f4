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
                try await session.value("SELECT step FROM onboarding.claim('a', 'iron', 1, 1000, 1000, 1000)")
                    == "look_up")
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "not_found", state: "available", counted: false, reached: false, providerID: nil,
                    step: "look_up"))
            #expect(try await session.value("SELECT state FROM onboarding.jobs") == "cancelled")
        }
    }

    @Test(arguments: [
        ("iron.customer.create", SQL.person, "available look_up"),
        (
            "iron.customer.create", #"{"customer_type": "Person", "email": "a@b", "external_id": null}"#,
            "uncertain create"
        ),
        ("axisfi.customer.create", SQL.business, "available look_up"),
    ])
    func `nothing is created after a cancel: a lost answer is looked up, or stays in doubt`(
        kind: String, payload: String, expected: String
    ) async throws {
        for isKilled in [false, true] {
            try await withSessions { sessions in
                let session = sessions[0]
                let provider = String(kind.prefix { $0 != "." })
                try await session.run(SQL.enqueue(kind, payload) + SQL.worker("a") + SQL.worker("b"))
                _ = try await session.column(SQL.claim("a", provider))
                try await session.run(
                    "SELECT onboarding.mark_sent('a', '{1}', ARRAY(SELECT claim_token FROM onboarding.jobs))")
                #expect(try await session.value("onboarding.cancel(1, 'withdrawn')") == "running")
                if isKilled {
                    try await session.run("SELECT onboarding.remove_worker('a'); SELECT onboarding.take_over('b', 10)")
                } else {
                    let next = kind.hasPrefix("axisfi") ? "look_up" : "create"
                    _ = try await session.column(
                        SQL.complete(
                            "a", 1, outcome: "unavailable", state: "available", nextStep: next, providerID: nil))
                }
                #expect(try await session.value("SELECT state || ' ' || step FROM onboarding.jobs") == expected)
                #expect(
                    try await session.value(
                        "SELECT reason FROM onboarding.state_changes WHERE job_id = 1 AND reason LIKE 'cancel requested%'"
                    )
                        == "cancel requested: withdrawn")
            }
        }
    }

    @Test func `a look-up that is to be repeated is not cut short by a cancel`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue("axisfi.customer.create", SQL.business) + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "axisfi"))
            try await session.run(
                "SELECT onboarding.mark_sent('a', '{1}', ARRAY(SELECT claim_token FROM onboarding.jobs))")
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "unavailable", state: "available", nextStep: "look_up", providerID: nil))
            #expect(try await session.value("onboarding.cancel(1)") == "available")
            for (next, state) in [("look_up", "available"), ("create", "cancelled")] {
                _ = try await session.column(SQL.claim("a", "axisfi"))
                _ = try await session.column(
                    SQL.complete(
                        "a", 1, outcome: "not_found", state: "available", nextStep: next, counted: false,
                        reached: false, providerID: nil, step: "look_up"))
                #expect(try await session.value("SELECT state FROM onboarding.jobs") == state)
            }
        }
    }

    @Test func `what may exist and expires is looked up, and a new payload waits for what that finds`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.enqueue() + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "iron", 1))
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "unavailable", state: "available", delay: 60_000, providerID: nil))
            try await session.run("UPDATE onboarding.jobs SET expires_at = now() - interval '1 s'")
            #expect(try await session.value("onboarding.expire_jobs(10)") == "1")
            #expect(
                try await session.value(
                    "SELECT string_agg(state || ' ' || step, ', ' ORDER BY id) FROM onboarding.jobs")
                    == "available look_up, failed create")
            // It is claimed although its time is over, for the look-up alone.
            #expect(try await session.column(SQL.claim("a", "iron", 5)) == ["1"])
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "unavailable", state: "failed", counted: false, reached: false, providerID: nil,
                    step: "look_up"))
            let corrected = SQL.person.replacing("user-42", with: "user-43")
            let refused = await session.error("SELECT onboarding.retry(1, 'corrected', '\(corrected)')")
            #expect(refused?.message.contains("may exist at the provider as it was sent") == true)
            _ = try await session.value("onboarding.retry(1, 'look')")
            #expect(try await session.value("SELECT step FROM onboarding.jobs WHERE id = 1") == "look_up")
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
                try await session.value("SELECT hint FROM onboarding.claim('a', 'iron', 1, 1, 1, 1)") == "paused")
            #expect(try await session.value("SELECT detail FROM onboarding.why(1)") == "provider paused: maintenance")
            try await session.run("SELECT onboarding.resume_provider('iron')")
            #expect(try await session.column(SQL.claim("a")) == ["1"])
            #expect(await session.error("SELECT onboarding.pause_provider('nobody')")?.column == "provider")
            #expect(
                await session.error("SELECT onboarding.pause_provider('iron', 'x', '2001-01-01')")?.column == "until")
        }
    }

    @Test func `a sent job that nobody can look up is not called cancelled`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            let blind = #"{"customer_type": "Person", "email": "ada@example.com"}"#
            try await a.run(SQL.enqueue("iron.customer.create", blind) + SQL.worker("a"))
            _ = try await a.column(SQL.claim("a"))
            _ = try await a.column(
                SQL.complete(
                    "a", 1, outcome: "unavailable", state: "available", delay: 60_000, providerID: nil, status: nil))
            #expect(try await a.value("onboarding.cancel(1, 'no longer wanted')") == "available")
            #expect(
                try await a.value("SELECT step || ' ' || (run_at <= now()) FROM onboarding.jobs") == "look_up true")
        }
    }

    @Test func `what a lost worker brought is not forgotten by a retry`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(SQL.enqueue() + SQL.worker("a") + SQL.worker("b"))
            _ = try await a.column(SQL.claim("a"))
            let token = try await a.value("SELECT claim_token FROM onboarding.jobs")
            try await a.run("SELECT onboarding.remove_worker('a'); SELECT onboarding.take_over('b', 10)")
            _ = try await a.column(SQL.claim("b"))
            _ = try await a.column(
                SQL.complete("b", 1, outcome: "rejected", state: "failed", providerID: nil, status: 422))
            let corrected =
                #"SELECT onboarding.retry(1, 'corrected', '{"customer_type": "Person", "email": "b@example.com"}')"#
            #expect(await a.error(corrected)?.message.contains("may exist at the provider") == true)
            // An old look-up that comes late proves nothing, a record that does proves all.
            _ = try await a.column(
                SQL.complete(
                    "a", 1, token: token, outcome: "not_found", state: "available", providerID: nil, step: "look_up",
                    status: 404))
            #expect(await a.error(corrected)?.message.contains("may exist at the provider") == true)
            try await a.run("DELETE FROM onboarding.attempts WHERE late")
            _ = try await a.column(SQL.complete("a", 1, token: token, providerID: "late-1"))
            #expect(
                try await a.value("SELECT detail FROM onboarding.why(1) WHERE reason = 'late_evidence'")
                    == "worker a brought later that the provider has it as late-1")
            try await a.run("DELETE FROM onboarding.attempts WHERE outcome = 'lost'")
            #expect(await a.error(corrected)?.message.contains("may exist at the provider") == true)
        }
    }

    @Test func `why tells of a worker that is gone, and of the burst that is left`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(SQL.enqueue() + SQL.worker("a"))
            _ = try await a.column(SQL.claim("a"))
            #expect(try await a.column("SELECT reason FROM onboarding.why(1)") == ["running"])
            try await a.run("UPDATE onboarding.worker_leases SET lease_expires_at = now() - interval '1 s'")
            #expect(try await a.column("SELECT reason FROM onboarding.why(1)") == ["running", "no_worker"])
            #expect(try await a.value("SELECT detail LIKE '%is gone%' FROM onboarding.why(1) LIMIT 1") == "true")
            try await a.run(
                """
                UPDATE onboarding.worker_leases SET lease_expires_at = now() + interval '1 h';
                UPDATE onboarding.providers SET rate_per_second = 0.01, burst = 10, rate_due_at = now() + interval '100 s'
                    WHERE provider = 'iron';
                """ + SQL.enqueue())
            #expect(try await a.column("SELECT reason FROM onboarding.why(2)") == [])
            try await a.run(
                "UPDATE onboarding.providers SET rate_due_at = now() + interval '950 s' WHERE provider = 'iron'")
            #expect(try await a.column("SELECT reason FROM onboarding.why(2)") == ["rate_limit"])
        }
    }

    /// What is done to job 1, an `iron.customer.create` beside a live worker, and what `why` then says of it.
    private static let hindrances: [(String, String)] = [
        ("", ""),
        ("UPDATE onboarding.jobs SET run_at = now() + interval '1 h'", "not_due"),
        ("UPDATE onboarding.jobs SET expires_at = now() - interval '1 s'", "expired"),
        ("SELECT onboarding.pause_provider('iron', 'audit')", "paused"),
        ("UPDATE onboarding.providers SET held_until = now() + interval '1 h'", "held"),
        (
            "UPDATE onboarding.providers SET circuit = 'open', circuit_reason = '401', circuit_probe_at = now()",
            "circuit_open"
        ),
        ("UPDATE onboarding.providers SET max_in_flight = 0", "concurrency_limit"),
        ("UPDATE onboarding.providers SET rate_per_second = 1, rate_due_at = now() + interval '1 h'", "rate_limit"),
        ("UPDATE onboarding.worker_leases SET providers = '{connect}'", "no_worker"),
        ("UPDATE onboarding.worker_leases SET lease_expires_at = now()", "no_worker"),
        (
            "SELECT onboarding.pause_provider('iron', 'audit'); UPDATE onboarding.jobs SET run_at = now() + interval '1 h'",
            "not_due,paused"
        ),
        (SQL.claim("a"), "running"),
        ("SELECT onboarding.cancel(1)", "cancelled"),
        (end(), "completed"),
        (end(outcome: "rejected", state: "failed", providerID: nil), "failed"),
        (
            end(outcome: "ambiguous", state: "uncertain", providerID: nil),
            "uncertain"
        ),
    ]

    /// A claim of job 1 and its end.
    private static func end(
        outcome: String = "succeeded", state: String = "completed", providerID: String? = "provider-1"
    ) -> String {
        SQL.claim("a") + ";" + SQL.complete("a", 1, outcome: outcome, state: state, providerID: providerID)
    }

    @Test(arguments: hindrances)
    func `why says what keeps a job, and nothing when nothing does`(done: String, reasons: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.worker("a") + SQL.enqueue())
            if !done.isEmpty { try await session.run(done) }
            #expect(
                try await session.value(
                    "SELECT coalesce(string_agg(reason, ',' ORDER BY reason), '') FROM onboarding.why(1)") == reasons)
            // What shows in it is safe to show, and says something.
            #expect(
                try await session.value("SELECT count(*) FROM onboarding.why(1) WHERE detail IS NULL OR detail = ''")
                    == "0")
        }
    }
}
