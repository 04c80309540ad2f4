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
        #expect(try await a.value("onboarding.take_over('b', 100)") == "1")
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
            let evidence = try await b.value(
                "SELECT evidence_id FROM onboarding.claim('b', 'iron', 1, 1000, 1000, 1000)")
            #expect(evidence == "late-1")
        }
    }

    @Test func `a late completion does not touch the successor's claim`() async throws {
        try await withSessions(2) { sessions in
            let (a, b) = (sessions[0], sessions[1])
            let token = try await stalled("iron.customer.create", SQL.person, "iron", a)
            #expect(try await b.column(SQL.claim("b")) == ["1"])
            let before = try await b.value("SELECT (j.*)::text FROM onboarding.jobs j WHERE id = 1")
            #expect(
                try await a.column(SQL.complete("a", 1, token: token, outcome: "rejected", state: "failed")) == ["f"])
            #expect(try await b.value("SELECT (j.*)::text FROM onboarding.jobs j WHERE id = 1") == before)
            #expect(try await b.column(SQL.complete("b", 1)) == ["t"])
        }
    }

    @Test func `late evidence of a success ends an uncertain job`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            let token = try await stalled("connect.individual.create", SQL.connect, "connect", a)
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
            #expect(try await session.value("SELECT first_sent_at FROM onboarding.jobs") == nil)
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
        ("iron", "iron.customer.create", SQL.person, "available create"),
        ("axisfi", "axisfi.customer.create", SQL.business, "available look_up"),
        ("connect", "connect.individual.create", SQL.connect, "uncertain create"),
    ])
    func `a lost job that may have been sent goes where its kind allows`(
        provider: String, kind: String, payload: String, expected: String
    ) async throws {
        try await withSessions { sessions in
            _ = try await stalled(kind, payload, provider, sessions[0])
            #expect(
                try await sessions[0].value("SELECT state || ' ' || step FROM onboarding.jobs WHERE id = 1") == expected
            )
            #expect(
                try await sessions[0].value("SELECT outcome || ' ' || next_state FROM onboarding.attempts") == "lost "
                    + expected.split(separator: " ")[0])
        }
    }

    @Test func `a lost job that cannot have been sent is just available, and the attempt is not counted`() async throws
    {
        try await withSessions { sessions in
            _ = try await stalled("connect.individual.create", SQL.connect, "connect", sessions[0], marked: false)
            #expect(
                try await sessions[0].value("SELECT state || ' ' || attempt FROM onboarding.jobs WHERE id = 1")
                    == "available 0")
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
