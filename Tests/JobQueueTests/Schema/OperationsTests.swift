import Postgres
import Testing

@Suite struct OperationsTests {
    @Test func `a retry keeps the time that its caller asked for`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(SQL.enqueue("iron.customer.create", SQL.person, "run_at => now() + interval '1 day'"))
            let when = try await a.value("(SELECT run_at FROM onboarding.jobs)")
            try await a.run("SELECT onboarding.cancel(1); SELECT onboarding.retry(1)")
            #expect(try await a.value("(SELECT run_at FROM onboarding.jobs)") == when)
            try await a.run(
                "UPDATE onboarding.jobs SET backoff_step = 3; SELECT onboarding.cancel(1); SELECT onboarding.retry(1)")
            #expect(try await a.value("(SELECT run_at <= now() FROM onboarding.jobs)") == "true")
        }
    }

    @Test(arguments: [("rejected", true), ("unauthorized", false)])
    func `the statement for a failed job names a payload where the same would be refused again`(
        outcome: String, corrects: Bool
    )
        async throws
    {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(SQL.enqueue() + SQL.worker("a"))
            _ = try await a.column(SQL.claim("a"))
            _ = try await a.column(
                SQL.complete("a", 1, outcome: outcome, state: "failed", reached: false, providerID: nil))
            #expect(
                try await a.value("(SELECT statement LIKE '%payload =>%' FROM onboarding.failed_jobs)") == "\(corrects)"
            )
        }
    }

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
                try await session.value(
                    "SELECT is_cancelled AND last_sent_ms >= 0 FROM onboarding.claim('a', 'iron', 1, 1000, 1000, 1000)")
                    == "true")
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "not_found", state: "available", counted: false, reached: false, proven: true,
                    providerID: nil, step: "look_up"))
            #expect(try await session.value("SELECT state FROM onboarding.jobs") == "cancelled")
        }
    }

    @Test(arguments: ["iron", "axisfi", "connect"], [false, true])
    func `a cancelled job that may have been sent is available, in doubt, and says so to its next claim`(
        provider: String, isKilled: Bool
    ) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            let (kind, payload) =
                switch provider {
                case "iron": ("iron.customer.create", SQL.person)
                case "axisfi": ("axisfi.customer.create", SQL.business)
                default: ("connect.individual.create", SQL.connect)
                }
            try await session.run(SQL.enqueue(kind, payload) + SQL.worker("a") + SQL.worker("b"))
            _ = try await session.column(SQL.claim("a", provider))
            try await session.run(
                "SELECT onboarding.mark_sent('a', '{1}', ARRAY(SELECT claim_token FROM onboarding.jobs))")
            #expect(try await session.value("onboarding.cancel(1, 'withdrawn')") == "running")
            if isKilled {
                try await session.run(
                    "SELECT onboarding.remove_worker('a'); SELECT onboarding.take_over('b', '{}'::bigint[], 10, true)")
            } else {
                _ = try await session.column(
                    SQL.complete(
                        "a", 1, outcome: "unavailable", state: "available", delay: 60_000, providerID: nil))
            }
            // What would have been sent again in a minute is looked up now.
            try await session.run("UPDATE onboarding.jobs SET run_at = now() WHERE run_at < now() + interval '2 s'")
            #expect(
                try await session.value(
                    "SELECT is_cancelled AND last_sent_ms >= 0 FROM onboarding.claim('b', '\(provider)', 1, 1000, 1000, 1000)"
                ) == "true")
            #expect(
                try await session.value(
                    "SELECT reason FROM onboarding.state_changes WHERE job_id = 1 AND reason LIKE 'cancel requested%'"
                ) == "cancel requested: withdrawn")
        }
    }

    @Test func `a cancel lets no mark be written, and a mark is of one claim`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue("connect.individual.create", SQL.connect) + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "connect"))
            let mark = "SELECT onboarding.mark_sent('a', '{1}', ARRAY(SELECT claim_token FROM onboarding.jobs))"
            let token = try await session.value("SELECT claim_token FROM onboarding.jobs")
            #expect(try await session.column(mark) == [token])
            try await session.run("UPDATE onboarding.jobs SET expires_at = now() - interval '1 s'")
            #expect(try await session.column(mark) == [])
            try await session.run("UPDATE onboarding.jobs SET expires_at = NULL")
            #expect(try await session.value("onboarding.cancel(1)") == "running")
            #expect(try await session.column(mark) == [])
        }
    }

    @Test func `nothing ends failed or cancelled while it is in doubt, whoever writes it`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "unavailable", state: "available", providerID: nil))
            for state in ["failed", "cancelled"] {
                let error = await session.error("UPDATE onboarding.jobs SET state = '\(state)'")
                #expect(error?.message.contains("jobs_no_end_in_doubt") == true)
            }
            // What a fenced-out worker brought after the claim is not covered by what the look-up proved.
            _ = try await session.column(SQL.claim("a"))
            try await session.run("UPDATE onboarding.jobs SET last_sent_at = clock_timestamp(), late_doubt = true")
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "not_found", state: "failed", counted: false, reached: false, proven: true,
                    providerID: nil, step: "look_up"))
            #expect(try await session.value("SELECT state FROM onboarding.jobs") == "available")
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
                try await session.run("UPDATE onboarding.jobs SET run_at = now() - interval '1 s'")
                _ = try await session.column(SQL.claim("a", "axisfi"))
                _ = try await session.column(
                    SQL.complete(
                        "a", 1, outcome: "not_found", state: "available", nextStep: next, counted: false,
                        reached: false, proven: next == "create", providerID: nil, step: "look_up"))
                #expect(try await session.value("SELECT state FROM onboarding.jobs") == state)
            }
        }
    }

    @Test func `what may exist and expires is claimed once more, and a new payload waits for what that finds`()
        async throws
    {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.enqueue() + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "iron", 1))
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "unavailable", state: "available", providerID: nil))
            try await session.run("UPDATE onboarding.jobs SET expires_at = now() - interval '1 s'")
            #expect(try await session.value("onboarding.expire_jobs(10)") == "1")
            #expect(
                try await session.value("SELECT string_agg(state, ', ' ORDER BY id) FROM onboarding.jobs")
                    == "available, failed")
            // It is claimed although its time is over, to find out what happened.
            #expect(try await session.column(SQL.claim("a", "iron", 5)) == ["1"])
            let token = try await session.value("SELECT claim_token FROM onboarding.jobs WHERE id = 1")
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "not_found", state: "failed", counted: false, reached: false, proven: true,
                    providerID: nil, step: "look_up"))
            #expect(try await session.value("SELECT state FROM onboarding.jobs WHERE id = 1") == "failed")
            // A fenced-out worker's call that ended later may have had an effect all the same.
            try await session.run("UPDATE onboarding.jobs SET claim_token = 5 WHERE id = 1")
            _ = try await session.column(
                SQL.complete(
                    "a", 1, token: "6", outcome: "unavailable", state: "available", providerID: nil))
            #expect(token != nil)
            let corrected = SQL.person.replacing("user-42", with: "user-43")
            let refused = await session.error("SELECT onboarding.retry(1, 'corrected', '\(corrected)')")
            #expect(refused?.message.contains("may exist at the provider as it was sent") == true)
            _ = try await session.value("onboarding.retry(1, 'look')")
            #expect(
                try await session.value(
                    "SELECT step || ' ' || (last_sent_at IS NOT NULL) FROM onboarding.jobs WHERE id = 1")
                    == "look_up true")
        }
    }

    @Test func `a payload whose numbers are written differently is a new body`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            let person = #"{"customer_type": "Person", "email": "a@example.com", "limit": 100}"#
            try await session.run(SQL.enqueue("iron.customer.create", person) + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            let digest = "SELECT encode(body_sha256, 'hex') FROM onboarding.jobs"
            let old = try await session.value(digest)
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "rejected", state: "failed", reached: false, providerID: nil))
            try await session.run(
                "SELECT onboarding.retry(1, 'corrected', '\(person.replacing("100", with: "100.00"))')")
            #expect(try await session.column(SQL.claim("a")) == ["1"])
            let new = try await session.value(digest)
            #expect(new != old)
            let sent = "SELECT encode(sha256(convert_to(payload::text, 'UTF8')), 'hex') FROM onboarding.jobs"
            #expect(try await session.value(sent) == new)
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
            #expect(await session.error("SELECT onboarding.resolve(1, 'happened', 'connect-9')")?.column == "note")
            for id in [
                "NULL", "''", "' '", "'two words'", "E'a\\tb'", "repeat('x', 256)", "'N/A'", "'unknown'", "'0000'",
                "'-1'",
                "'00000000-0000-0000-0000-000000000000'", "'FFFFFFFF-ffff-ffff-ffff-ffffffffffff'",
                "'ada1@example.com'",
            ] {
                let error = await session.error("SELECT onboarding.resolve(1, 'happened', \(id), 'asked')")
                #expect(error?.column == "provider_id")
            }
            #expect(await session.error("SELECT onboarding.resolve(1, 'perhaps', note => 'x')")?.column == "verdict")
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

    @Test func `what a lost worker brought is not forgotten by a retry`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(SQL.enqueue() + SQL.worker("a") + SQL.worker("b"))
            _ = try await a.column(SQL.claim("a"))
            let token = try await a.value("SELECT claim_token FROM onboarding.jobs")
            try await a.run(
                "SELECT onboarding.remove_worker('a'); SELECT onboarding.take_over('b', '{}'::bigint[], 10, true)")
            try await a.run("UPDATE onboarding.jobs SET run_at = now()")
            _ = try await a.column(SQL.claim("b"))
            _ = try await a.column(
                SQL.complete(
                    "b", 1, outcome: "rejected", state: "failed", reached: false, proven: true, providerID: nil,
                    status: 422))
            let corrected =
                #"SELECT onboarding.retry(1, 'corrected', '{"customer_type": "Person", "email": "b@example.com"}')"#
            // An old look-up that comes late says nothing, a record proves all, for ever.
            _ = try await a.column(
                SQL.complete(
                    "a", 1, token: token, outcome: "not_found", state: "available", reached: false,
                    providerID: nil, step: "look_up", status: 404))
            try await a.run("DELETE FROM onboarding.attempts WHERE late")
            _ = try await a.column(SQL.complete("a", 1, token: token, providerID: "late-1"))
            #expect(
                try await a.value("SELECT detail FROM onboarding.why(1) WHERE reason = 'late_evidence'")
                    == "worker a brought later that the provider has it as late-1")
            try await a.run("DELETE FROM onboarding.attempts")
            #expect(await a.error(corrected)?.message.contains("may exist at the provider") == true)
        }
    }

    @Test func `many verdicts are given at once, and each stands alone`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            for _ in 1...3 { try await session.run(SQL.enqueue("connect.individual.create", SQL.connect)) }
            try await session.run(SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "connect"))
            for id in 1...3 {
                _ = try await session.column(
                    SQL.complete("a", id, outcome: "ambiguous", state: "uncertain", providerID: nil))
            }
            let verdicts =
                #"[{"job_id": 1, "verdict": "happened", "provider_id": "c-1"}, {"job_id": 2, "verdict": "happened"}, "#
                + #"{"job_id": 3, "verdict": "did_not_happen"}, {"job_id": 9, "verdict": "happened"}]"#
            #expect(
                try await session.value(
                    "SELECT string_agg(concat_ws(' ', job_id, state, left(problem, 30)), ', ') "
                        + "FROM onboarding.resolve_jobs('\(verdicts)', 'asked')")
                    == "1 completed, 2 onboarding: provider_id is nee, 3 available, 9 onboarding: 9 is not a job")
            // Sent again only once the last request can have no effect any more.
            #expect(
                try await session.value("SELECT run_at > now() + interval '100 s' FROM onboarding.jobs WHERE id = 3")
                    == "true")
        }
    }

    @Test func `an id that another job has completes nothing; what shares a record is shown`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            for _ in 1...4 { try await session.run(SQL.enqueue()) }
            try await session.run(SQL.worker("a"))
            _ = try await session.column(SQL.claim("a"))
            _ = try await session.column(SQL.complete("a", 1, providerID: "c-1"))
            _ = try await session.column(SQL.complete("a", 2, providerID: "c-1"))
            #expect(
                try await session.value(
                    "SELECT state || ' ' || coalesce(provider_id, '-') FROM onboarding.jobs WHERE id = 2")
                    == "uncertain -")
            // Two in one write: the first has it.
            _ = try await session.column(
                SQL.completeAll("a").replacing("('record-' || id)", with: "'c-2'"))
            #expect(
                try await session.column("SELECT state FROM onboarding.jobs WHERE id > 2 ORDER BY id")
                    == ["completed", "uncertain"])
            #expect(try await session.value("SELECT count(*) FROM onboarding.doubles") == "0")
            try await session.run("SELECT onboarding.resolve(2, 'happened', 'c-1', 'the same person')")
            #expect(
                try await session.value("SELECT concat_ws(' ', double, job_id, other_job_id) FROM onboarding.doubles")
                    == "shared_id 2 1")
        }
    }

    @Test func `of two answers with one id that are written at once, one completes its job`() async throws {
        try await withSessions(2) { sessions in
            let (first, second) = (sessions[0], sessions[1])
            for _ in 1...2 { try await first.run(SQL.enqueue()) }
            try await first.run(SQL.worker("a"))
            _ = try await first.column(SQL.claim("a"))
            try await first.run("BEGIN")
            _ = try await first.column(SQL.complete("a", 1, providerID: "c-1"))
            let error = await second.error(SQL.complete("a", 2, providerID: "c-1"))
            #expect(error?.sqlState == .lockNotAvailable)
            try await first.run("COMMIT")
            _ = try await second.column(SQL.complete("a", 2, providerID: "c-1"))
            #expect(
                try await second.column("SELECT state FROM onboarding.jobs ORDER BY id") == ["completed", "uncertain"])
        }
    }

    @Test(arguments: [false, true])
    func `what a person denied is not created again within the horizon, by a retry as little`(isCancelled: Bool)
        async throws
    {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue("connect.individual.create", SQL.connect) + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "connect"))
            if isCancelled { try await session.run("SELECT onboarding.cancel(1)") }
            _ = try await session.column(
                SQL.complete("a", 1, outcome: "ambiguous", state: "uncertain", providerID: nil, status: nil))
            try await session.run("SELECT onboarding.resolve(1, 'did_not_happen', NULL, 'asked')")
            if !isCancelled { try await session.run("SELECT onboarding.cancel(1)") }
            try await session.run("SELECT onboarding.retry(1)")
            let waits = "SELECT run_at > now() + interval '100 s' FROM onboarding.jobs"
            #expect(try await session.value(waits) == "true")
            // Whatever the clock does to its time.
            try await session.run("UPDATE onboarding.jobs SET run_at = now()")
            #expect(try await session.ids(SQL.claim("a", "connect")) == [])
            try await session.run("UPDATE onboarding.jobs SET denied_at = now() - interval '121 s'")
            try await session.run("UPDATE onboarding.maintenance SET clock_watched_since = now() - interval '1 h'")
            #expect(try await session.ids(SQL.claim("a", "connect")) == [1])
        }
    }

    @Test func `a late success with the id of a record that another job has proves nothing`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            for _ in 1...2 { try await session.run(SQL.enqueue("connect.individual.create", SQL.connect)) }
            try await session.run(SQL.worker("a") + SQL.worker("gone"))
            _ = try await session.column(SQL.claim("gone", "connect"))
            let token = try #require(try await session.value("SELECT claim_token FROM onboarding.jobs WHERE id = 2"))
            _ = try await session.column(SQL.complete("gone", 1, providerID: "c-1"))
            _ = try await session.column(
                SQL.complete("gone", 2, outcome: "ambiguous", state: "uncertain", providerID: nil, status: nil))
            _ = try await session.column(SQL.complete("gone", 2, token: "\(token) + 1", providerID: "c-1"))
            #expect(try await session.value("SELECT state FROM onboarding.jobs WHERE id = 2") == "uncertain")
            _ = try await session.column(SQL.complete("gone", 2, token: "\(token) + 2", providerID: "c-2"))
            #expect(
                try await session.value("SELECT concat_ws(' ', state, provider_id) FROM onboarding.jobs WHERE id = 2")
                    == "completed c-2")
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
        ("UPDATE onboarding.providers SET rate_per_second = 0.1, rate_due_at = now() + interval '9 s'", "rate_limit"),
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
