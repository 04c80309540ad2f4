import Postgres
import Testing

/// The test that most queues fail: worker A claims and stalls, B takes over, A completes late.
@Suite struct FencingTests {
    /// A has claimed job 1 and its lease has ended; the job was taken over.
    private func stalled(_ kind: String, _ payload: String, _ provider: String, _ a: Session, marked: Bool = true)
        async throws -> String
    {
        try await a.run(SQL.enqueue(kind, payload) + SQL.worker("a") + SQL.worker("b"))
        _ = try await a.column(SQL.claim("a", provider))
        if marked {
            try await a.run(
                "SELECT onboarding.mark_sent('a', '{1}', ARRAY[(SELECT claim_token FROM onboarding.jobs WHERE id = 1)])"
            )
        }
        let token = try await a.value("SELECT claim_token FROM onboarding.jobs WHERE id = 1") ?? ""
        try await a.run("UPDATE onboarding.worker_leases SET lease_expires_at = now() - interval '1 s' WHERE id = 'a'")
        #expect(try await a.value("onboarding.take_over('b', '{}'::bigint[], 100, true)") == "1")
        return token
    }

    @Test func `a late completion changes nothing and is kept as evidence, which the next claim finds`() async throws {
        try await withSessions(2) { sessions in
            let (a, b) = (sessions[0], sessions[1])
            let token = try await stalled("iron.customer.create", SQL.person, "iron", a)
            #expect(try await a.column(SQL.complete("a", 1, token: token, providerID: "late-1")) == ["f"])
            #expect(try await a.value("SELECT state FROM onboarding.jobs WHERE id = 1") == "available")
            #expect(try await a.value("SELECT provider_id FROM onboarding.jobs WHERE id = 1") == nil)
            #expect(
                try await a.value("SELECT count(*) FROM onboarding.attempts WHERE late AND provider_id = 'late-1'")
                    == "1")
            try await a.run("UPDATE onboarding.jobs SET run_at = now()")
            let evidence = try await b.value(
                "SELECT evidence_id FROM onboarding.claim('b', 'iron', 1, 1000, 1000, 1000)")
            #expect(evidence == "late-1")
        }
    }

    @Test func `a late completion does not touch the successor's claim`() async throws {
        try await withSessions(2) { sessions in
            let (a, b) = (sessions[0], sessions[1])
            let token = try await stalled("iron.customer.create", SQL.person, "iron", a)
            try await a.run("UPDATE onboarding.jobs SET run_at = now()")
            #expect(try await b.column(SQL.claim("b")) == ["1"])
            let before = try await b.value("SELECT (j.*)::text FROM onboarding.jobs j WHERE id = 1")
            #expect(
                try await a.column(
                    SQL.complete("a", 1, token: token, outcome: "rejected", state: "failed", reached: false)) == ["f"])
            #expect(try await b.value("SELECT (j.*)::text FROM onboarding.jobs j WHERE id = 1") == before)
            // A call that may have had an effect puts the job in doubt from now on, and changes nothing else.
            _ = try await a.column(
                SQL.complete("a", 1, token: token, outcome: "unavailable", state: "available", providerID: nil))
            #expect(try await b.value("SELECT (j.*)::text FROM onboarding.jobs j WHERE id = 1") == before)
            try await a.run("DELETE FROM onboarding.attempts WHERE late")
            _ = try await a.column(
                SQL.complete("a", 1, token: token, outcome: "unavailable", state: "available", providerID: nil))
            #expect(
                try await b.value(
                    "SELECT state || ' ' || claimed_by || ' ' || (last_sent_at > claimed_at) FROM onboarding.jobs")
                    == "running b true")
            #expect(try await b.column(SQL.complete("b", 1)) == ["t"])
        }
    }

    @Test func `late evidence of a success ends an uncertain job`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            let token = try await stalled("connect.individual.create", SQL.connect, "connect", a)
            try await a.run("UPDATE onboarding.jobs SET run_at = now()")
            _ = try await a.column(SQL.claim("b", "connect"))
            _ = try await a.column(
                SQL.complete(
                    "b", 1, outcome: "ambiguous", state: "uncertain", counted: false, reached: false,
                    providerID: nil))
            #expect(try await a.value("SELECT state FROM onboarding.jobs WHERE id = 1") == "uncertain")
            _ = try await a.column(SQL.complete("a", 1, token: token, providerID: "late-1"))
            #expect(
                try await a.value("SELECT state || ' ' || provider_id FROM onboarding.jobs WHERE id = 1")
                    == "completed late-1")
        }
    }

    @Test func `writing the same completion twice is harmless`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(SQL.enqueue() + SQL.worker("a"))
            _ = try await a.column(SQL.claim("a"))
            #expect(try await a.column(SQL.complete("a", 1)) == ["t"])
            #expect(try await a.column(SQL.complete("a", 1)) == ["t"])
            #expect(try await a.value("SELECT count(*) FROM onboarding.attempts") == "1")
        }
    }

    @Test func `a mark under an old token is not written, though the worker lives`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue("connect.individual.create", SQL.connect) + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "connect"))
            let old = try #require(try await session.value("SELECT claim_token FROM onboarding.jobs"))
            // Given back unsent, and claimed again by the same worker.
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "not_sent", state: "available", counted: false, reached: false, providerID: nil))
            _ = try await session.column(SQL.claim("a", "connect"))
            #expect(try await session.column("SELECT onboarding.mark_sent('a', '{1}', '{\(old)}')").isEmpty)
            #expect(try await session.value("SELECT marked_at FROM onboarding.jobs") == nil)
        }
    }

    @Test func `a job that is given back as it was claimed keeps its place in the queue and its backoff`() async throws
    {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue() + SQL.worker("a"))
            try await session.run("UPDATE onboarding.jobs SET run_at = now() - interval '1 h', backoff_step = 3")
            let place = "SELECT backoff_step || ' ' || attempt || ' ' || run_at FROM onboarding.jobs"
            let before = try await session.value(place)
            func back(counted: Bool, delay: Int) async throws {
                _ = try await session.column(SQL.claim("a"))
                _ = try await session.column(
                    SQL.complete(
                        "a", 1, outcome: "not_sent", state: "available", delay: delay, counted: counted, reached: false,
                        providerID: nil))
            }
            for _ in 1...3 { try await back(counted: false, delay: 0) }
            #expect(try await session.value(place) == before)
            try await back(counted: false, delay: 1)
            #expect(
                try await session.value(
                    "SELECT backoff_step || ' ' || (run_at > now() - interval '1 minute') FROM onboarding.jobs")
                    == "4 true")
        }
    }

    @Test func `a worker whose lease has ended claims nothing, marks nothing and renews nothing`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(SQL.enqueue("connect.individual.create", SQL.connect) + SQL.worker("a"))
            _ = try await a.column(SQL.claim("a", "connect"))
            try await a.run("UPDATE onboarding.worker_leases SET lease_expires_at = now() - interval '1 s'")
            #expect(try await a.value("SELECT hint FROM onboarding.claim('a', 'connect', 1, 1, 1, 1)") == "fenced")
            #expect(try await a.value("onboarding.renew_lease('a', 1000, 0, false)") == "false")
            let marked =
                "SELECT * FROM onboarding.mark_sent('a', '{1}', ARRAY[(SELECT claim_token FROM onboarding.jobs WHERE id = 1)])"
            #expect(try await a.column(marked) == [])
        }
    }

    @Test(arguments: [
        ("iron", "iron.customer.create", SQL.person), ("axisfi", "axisfi.customer.create", SQL.business),
        ("connect", "connect.individual.create", SQL.connect),
    ])
    func `a lost job that may have been sent is in doubt from its take-over on`(
        provider: String, kind: String, payload: String
    ) async throws {
        try await withSessions { sessions in
            _ = try await stalled(kind, payload, provider, sessions[0])
            #expect(
                try await sessions[0].value(
                    """
                    SELECT state || ' ' || attempt || ' ' || (first_sent_at <= last_sent_at) || ' '
                        || (last_sent_at > now() - interval '1 s') FROM onboarding.jobs
                    """) == "available 1 true true")
            #expect(
                try await sessions[0].value("SELECT outcome || ' ' || next_state FROM onboarding.attempts")
                    == "lost available")
        }
    }

    @Test func `a lost job that cannot have been sent is just available, and the attempt is not counted`() async throws
    {
        try await withSessions { sessions in
            _ = try await stalled("connect.individual.create", SQL.connect, "connect", sessions[0], marked: false)
            #expect(
                try await sessions[0].value(
                    "SELECT state || ' ' || attempt || ' ' || (last_sent_at IS NULL) FROM onboarding.jobs WHERE id = 1")
                    == "available 0 true")
        }
    }

    @Test func `no statement takes a job along an illegal way`() async throws {
        try await withSessions { sessions in
            try await sessions[0].run(SQL.enqueue())
            let error = await sessions[0].error("UPDATE onboarding.jobs SET state = 'completed', provider_id = 'x'")
            #expect(error?.message == "onboarding: job 1 cannot go from available to completed")
        }
    }
}
