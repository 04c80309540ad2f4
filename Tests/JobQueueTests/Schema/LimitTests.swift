import Postgres
import Testing

@Suite struct LimitTests {
    private func fill(_ session: Session, _ count: Int = 100) async throws {
        try await session.run(
            """
            INSERT INTO onboarding.jobs (kind, payload)
            SELECT 'iron.customer.create', '\(SQL.person)' FROM generate_series(1, \(count));
            """ + SQL.worker("a") + SQL.worker("b"))
    }

    @Test func `only the limits that are named are changed`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            let limits =
                "(SELECT concat_ws(' ', max_in_flight, rate_per_second, burst) FROM onboarding.providers WHERE provider = 'iron')"
            try await a.run("SELECT onboarding.limit_provider('iron', 20, 50, 10)")
            try await a.run("SELECT onboarding.limit_provider('iron', rate_per_second => 5)")
            #expect(try await a.value(limits) == "20 5 10")
            try await a.run("SELECT onboarding.limit_provider('iron', burst => 3, unlimited => '{max_in_flight}')")
            #expect(try await a.value(limits) == "5 3")
            #expect(
                await a.error("SELECT onboarding.limit_provider('iron', unlimited => '{all}')")?.sqlState?.code
                    == "23514")
        }
    }

    @Test(arguments: [
        "max_in_flight = 0", "paused_until = 'infinity'",
        "rate_per_second = 0.001, rate_due_at = now() + interval '900 s'",
    ])
    func `a claim that a limit refuses writes nothing`(limit: String) async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await fill(a, 1)
            try await a.run("UPDATE onboarding.providers SET \(limit) WHERE provider = 'iron'")
            try await a.run("BEGIN")
            #expect(try await a.column(SQL.claim("a", "iron", 7)) == [])
            // A transaction that has written, or locked a row, has a number.
            #expect(try await a.value("pg_current_xact_id_if_assigned() IS NULL") == "true")
            try await a.run("COMMIT")
        }
    }

    @Test func `claims of all workers together stay within the calls in flight`() async throws {
        try await withSessions(2) { sessions in
            try await fill(sessions[0])
            try await sessions[0].run("UPDATE onboarding.providers SET max_in_flight = 10 WHERE provider = 'iron'")
            #expect(try await sessions[0].column(SQL.claim("a", "iron", 7)).count == 7)
            #expect(try await sessions[1].column(SQL.claim("b", "iron", 7)).count == 3)
            #expect(
                try await sessions[0].value("SELECT hint FROM onboarding.claim('a', 'iron', 1, 1000, 1000, 1)")
                    == "in_flight")
            #expect(try await sessions[0].value("SELECT reason FROM onboarding.why(99)") == "concurrency_limit")
        }
    }

    @Test func `a claim that waits for another's commit counts what that one took`() async throws {
        try await withSessions(2) { sessions in
            try await fill(sessions[0])
            try await sessions[0].run("UPDATE onboarding.providers SET max_in_flight = 10 WHERE provider = 'iron'")
            try await sessions[0].run("BEGIN")
            #expect(try await sessions[0].column(SQL.claim("a", "iron", 7)).count == 7)
            async let second = sessions[1].column(SQL.claim("b", "iron", 7))
            // B is waiting for the provider's row before A commits.
            while try await sessions[0].value("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" {
                await Task.yield()
            }
            try await sessions[0].run("COMMIT")
            #expect(try await second.count == 3)
        }
    }

    @Test func `large claims go on two at a time; who has waited long enough or wants little does too`() async throws {
        try await withSessions(3) { sessions in
            try await fill(sessions[0], 300)
            for (session, worker) in zip(sessions, ["a", "b"]) {
                try await session.run("BEGIN")
                #expect(try await session.column(SQL.claimInTurn(worker, 50)).count == 50)
            }
            func claim(_ wanted: Int) async throws -> Duration {
                let start = ContinuousClock.now
                #expect(try await sessions[2].column(SQL.claimInTurn("b", wanted)).count == wanted)
                return ContinuousClock.now - start
            }
            // As long as its locks may wait, and no shorter: nobody commits.
            #expect(try await claim(50) >= .milliseconds(250))
            var small: [Duration] = []
            for _ in 0..<3 { small.append(try await claim(49)) }
            #expect(small.min() ?? .zero < .milliseconds(200))
            try await sessions[1].run("COMMIT")
            // What is claimed is claimed once.
            try await sessions[0].run("COMMIT")
            #expect(
                try await sessions[2].value("SELECT count(*) FROM onboarding.jobs WHERE state = 'running'") == "297")
        }
    }

    @Test func `a burst is spent once and refills at the rate`() async throws {
        try await withSessions { sessions in
            try await fill(sessions[0])
            try await sessions[0].run(
                "UPDATE onboarding.providers SET rate_per_second = 0.001, burst = 5 WHERE provider = 'iron'")
            #expect(try await sessions[0].column(SQL.claim("a", "iron", 50)).count == 5)
            #expect(
                try await sessions[0].value("SELECT hint FROM onboarding.claim('a', 'iron', 1, 1000, 1000, 1)")
                    == "rate")
            #expect(try await sessions[0].value("SELECT reason FROM onboarding.why(99)") == "rate_limit")
        }
    }

    @Test func `a throttle holds the whole provider and no other`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, 2)
            try await session.run(SQL.enqueue("connect.individual.create", SQL.connect))
            _ = try await session.column(SQL.claim("a", "iron", 1))
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "throttled", state: "available", delay: 9000, counted: false, reached: false,
                    providerID: nil, hold: 9000))
            #expect(
                try await session.value("SELECT hint FROM onboarding.claim('b', 'iron', 1, 1000, 1000, 1)") == "held")
            #expect(try await session.column(SQL.claim("b", "connect")) == ["3"])
            #expect(try await session.value("SELECT attempt FROM onboarding.jobs WHERE id = 1") == "0")
        }
    }

    @Test func `refused credentials open the circuit, one probe goes through, its answer closes it`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, 5)
            _ = try await session.column(SQL.claim("a", "iron", 1))
            _ = try await session.column(
                SQL.complete(
                    "a", 1, outcome: "unauthorized", state: "available", counted: false, reached: false, providerID: nil
                ))
            #expect(
                try await session.value("SELECT hint FROM onboarding.claim('a', 'iron', 5, 1000, 1000, 1)") == "circuit"
            )
            #expect(try await session.value("SELECT string_agg(reason, ',') FROM onboarding.why(2)") == "circuit_open")
            try await session.run("UPDATE onboarding.providers SET circuit_probe_at = now() WHERE provider = 'iron'")
            let probes = try await session.ids(SQL.claim("a", "iron", 5))
            let probe = try #require(probes.first)
            #expect(probes.count == 1)
            #expect(probe != 1)
            #expect(
                try await session.value("SELECT hint FROM onboarding.claim('b', 'iron', 5, 1000, 1000, 1)") == "circuit"
            )
            _ = try await session.column(SQL.complete("a", probe))
            #expect(
                try await session.value("SELECT circuit FROM onboarding.providers WHERE provider = 'iron'") == "closed")
            #expect(try await session.column(SQL.claim("a", "iron", 5)).count == 4)
        }
    }

    @Test func `a claim keeps to its bytes, but a job larger than them is not stuck`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, 5)
            let size = Int(try await session.value("SELECT payload_bytes FROM onboarding.jobs LIMIT 1") ?? "") ?? 0
            let claim = { (budget: Int, single: Int) in
                "SELECT id FROM onboarding.claim('a', 'iron', 10, \(budget), \(single), 1000) WHERE id IS NOT NULL"
            }
            #expect(try await session.column(claim(size * 2, 0)) == ["1", "2"])
            #expect(try await session.column(claim(size - 1, size - 1)) == [])
            #expect(try await session.column(claim(size - 1, size)) == ["3"])
        }
    }

    @Test func `what was booked under a slow rate does not bind a faster one`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, 50)
            try await session.run(
                "UPDATE onboarding.providers SET rate_per_second = 0.01, burst = 20 WHERE provider = 'iron'")
            #expect(try await session.column(SQL.claim("a", "iron", 50)).count == 20)
            #expect(try await session.column(SQL.claim("a", "iron", 50)).isEmpty)
            try await session.run(
                "UPDATE onboarding.providers SET rate_per_second = 1000, burst = 10 WHERE provider = 'iron';"
                    + "SELECT pg_sleep(0.05)")
            #expect(try await session.column(SQL.claim("a", "iron", 50)).count == 10)
        }
    }

    @Test func `a job that is refused alone stops the provider once, not each time`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, 5)
            let circuit = "SELECT circuit FROM onboarding.providers WHERE provider = 'iron'"
            func refuse(_ id: Int) async throws {
                _ = try await session.column(
                    SQL.complete(
                        "a", id, outcome: "unauthorized", state: "available", counted: false, reached: false,
                        providerID: nil))
            }
            _ = try await session.column(SQL.claim("a", "iron", 1))
            try await refuse(1)
            #expect(try await session.value(circuit) == "open")
            try await session.run("UPDATE onboarding.providers SET circuit_probe_at = now() WHERE provider = 'iron'")
            let probes = try await session.ids(SQL.claim("a", "iron", 5))
            #expect(probes.count == 1)
            let probe = try #require(probes.first)
            _ = try await session.column(SQL.complete("a", probe))
            #expect(try await session.value(circuit) == "closed")
            // The same job again: others were let in since. Another one: that is news.
            #expect(try await session.column(SQL.claim("a", "iron", 5)).contains("1"))
            try await refuse(1)
            #expect(try await session.value(circuit) == "closed")
            try await refuse(probe == 3 ? 4 : 3)
            #expect(try await session.value(circuit) == "open")
        }
    }

    @Test(arguments: [("invalid_payload", "failed"), ("not_sent", "available"), ("unavailable", "available")])
    func `a probe that told nothing makes room for another`(outcome: String, state: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, 5)
            try await session.run(
                "UPDATE onboarding.providers SET circuit = 'open', circuit_probe_at = now() WHERE provider = 'iron'")
            let probes = try await session.ids(SQL.claim("a", "iron", 5))
            #expect(probes.count == 1)
            _ = try await session.column(
                SQL.complete(
                    "a", try #require(probes.first), outcome: outcome, state: state, delay: 60_000, counted: false,
                    reached: false,
                    providerID: nil, status: nil))
            #expect(
                try await session.value(
                    "SELECT circuit || (circuit_probe_at <= now() + interval '1 s') FROM onboarding.providers WHERE provider = 'iron'"
                ) == "opentrue")
        }
    }
}
