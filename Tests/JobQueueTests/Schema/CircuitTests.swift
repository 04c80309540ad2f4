import Postgres
import Testing

/// Circuits: what opens one, which job probes it, and what closes it.
@Suite struct CircuitTests {
    private static let due = "UPDATE onboarding.providers SET circuit_probe_at = now() WHERE circuit <> 'closed'"

    private func circuit(_ session: Session, _ provider: String = "iron") async throws -> String? {
        try await session.value("SELECT circuit FROM onboarding.providers WHERE provider = '\(provider)'")
    }

    private func refuse(_ session: Session, _ id: Int) async throws {
        _ = try await session.column(
            SQL.complete(
                "a", id, outcome: "unauthorized", state: "available", delay: 0, counted: false, reached: false,
                providerID: nil, status: 403))
        // Its own backoff is over.
        try await session.run("UPDATE onboarding.jobs SET run_at = now() - interval '1 h' WHERE id = \(id)")
    }

    /// `bad` jobs of priority 0 in front of `good` ones, or, `around` them, half of them of priority 9 behind.
    private func fill(_ session: Session, bad: Int, good: Int, around: Bool = false) async throws {
        try await session.run(
            """
            INSERT INTO onboarding.jobs (kind, payload, priority, run_at)
            SELECT 'iron.customer.create', '\(SQL.person)', CASE WHEN n > \(bad) THEN 5 WHEN \(around) AND n % 2 = 0 THEN 9 ELSE 0 END, now() - interval '1 h'
            FROM generate_series(1, \(bad + good)) n;
            """ + SQL.worker("a"))
    }

    @Test(arguments: [1, 2, 5, 8])
    func `jobs that are refused alone keep no circuit open`(bad: Int) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, bad: bad, good: 40, around: bad == 8)
            // One call at a time, so that each refusal is seen before the next call.
            var probes = 0
            for _ in 0..<200 {
                let completed = try await session.value(
                    "SELECT count(*) FROM onboarding.jobs WHERE state = 'completed'")
                if completed == "40" { break }
                if try await circuit(session) == "open" { probes += 1 }
                try await session.run(Self.due)
                for id in try await session.ids(SQL.claim("a", "iron", 1)) {
                    if id <= bad {
                        try await refuse(session, id)
                        try await session.run(
                            "UPDATE onboarding.jobs SET run_at = now() + interval '1 s' * (2 + backoff_step) WHERE id = \(id)"
                        )
                    } else {
                        _ = try await session.column(SQL.complete("a", id))
                    }
                }
            }
            #expect(try await session.value("SELECT count(*) FROM onboarding.jobs WHERE state = 'completed'") == "40")
            // Each of them opens it once; of the probes after that one in six and fewer meets another of them.
            #expect(probes <= 2 * bad)
        }
    }

    @Test func `where all are refused one probe at a time goes, at growing intervals`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, bad: 0, good: 3)
            _ = try await session.column(SQL.claim("a", "iron", 1))
            try await refuse(session, 1)
            var refused: Set = [1]
            for (probe, seconds) in [5, 10, 20, 40, 80, 160, 300, 300].enumerated() {
                #expect(try await circuit(session) == "open")
                let wait = try await session.value(
                    "SELECT round(extract(epoch FROM circuit_probe_at - clock_timestamp())) FROM onboarding.providers WHERE provider = 'iron'"
                )
                #expect(wait == "\(seconds)")
                #expect(try await session.column(SQL.claim("a", "iron", 3)).isEmpty)
                try await session.run(Self.due)
                let claimed = try await session.ids(SQL.claim("a", "iron", 3))
                #expect(claimed.count == 1)
                // First those that were not refused yet.
                if probe == 0 { #expect(claimed != [1]) }
                if probe == 1 { #expect(Set(claimed).union(refused) == [1, 2, 3]) }
                refused.formUnion(claimed)
                #expect(try await session.column(SQL.claim("a", "iron", 3)).isEmpty)
                try await refuse(session, try #require(claimed.first))
            }
        }
    }

    @Test func `the end of a call from before is no answer to the probe`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, bad: 0, good: 5)
            _ = try await session.column(SQL.claim("a", "iron", 3))
            try await refuse(session, 1)
            try await session.run(Self.due)
            let probe = try await session.ids(SQL.claim("a", "iron", 5))
            _ = try await session.column(SQL.complete("a", 2))
            #expect(try await circuit(session) == "half_open")
            try await refuse(session, 3)
            #expect(try await circuit(session) == "half_open")
            _ = try await session.column(SQL.complete("a", try #require(probe.first)))
            #expect(try await circuit(session) == "closed")
        }
    }

    @Test func `a probe whose worker died makes room for another after a minute`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, bad: 0, good: 5)
            try await session.run("UPDATE onboarding.providers SET circuit = 'open', circuit_opened_at = now()")
            #expect(try await session.column(SQL.claim("a", "iron", 5)).count == 1)
            #expect(try await session.column(SQL.claim("a", "iron", 5)).isEmpty)
            try await session.run(
                "UPDATE onboarding.providers SET circuit_probe_at = circuit_probe_at - interval '60 s'")
            #expect(try await session.column(SQL.claim("a", "iron", 5)).count == 1)
        }
    }

    private func doubt(_ session: Session, _ id: Int) async throws {
        _ = try await session.column(
            SQL.complete("a", id, outcome: "ambiguous", state: "uncertain", providerID: nil, status: 502))
    }

    private func connect(_ session: Session, _ count: Int) async throws {
        try await session.run(
            "INSERT INTO onboarding.jobs (kind, payload) SELECT 'connect.individual.create', '\(SQL.connect)' FROM generate_series(1, \(count));"
                + SQL.worker("a"))
    }

    @Test
    func `doubtful ends open the circuit of a provider that nothing can be asked of, and a definite one closes it`()
        async throws
    {
        try await withSessions { sessions in
            let session = sessions[0]
            try await connect(session, 300)
            #expect(try await session.column(SQL.claim("a", "connect", 64)).count == 4)
            #expect(try await session.column(SQL.claim("a", "connect", 64)).isEmpty)
            for id in 1...4 { try await doubt(session, id) }
            #expect(try await circuit(session, "connect") == "open")
            for _ in 1...3 {
                try await session.run(Self.due)
                let probes = try await session.ids(SQL.claim("a", "connect", 64))
                #expect(probes.count == 1)
                try await doubt(session, try #require(probes.first))
                #expect(try await circuit(session, "connect") == "open")
            }
            #expect(
                try await session.value(
                    "SELECT circuit_failures || circuit_reason FROM onboarding.providers WHERE provider = 'connect'")
                    == "4ambiguous answers")
            try await session.run(Self.due)
            let probe = try await session.ids(SQL.claim("a", "connect", 64))
            let id = try #require(probe.first)
            _ = try await session.column(
                SQL.complete("a", id, outcome: "rejected", state: "failed", providerID: nil, status: 422))
            #expect(try await circuit(session, "connect") == "closed")
            // One at a time again; one more in doubt opens it again.
            let next = try await session.ids(SQL.claim("a", "connect", 64))
            #expect(next.count == 1)
            try await doubt(session, try #require(next.first))
            #expect(try await circuit(session, "connect") == "open")
            #expect(
                try await session.column(
                    "SELECT event FROM onboarding.provider_events WHERE provider = 'connect' ORDER BY id"
                ).count == 6)
        }
    }

    @Test func `more calls are let in as they end well, and fewer when some do not`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await connect(session, 2000)
            var inFlight: [Int] = []
            for _ in 0..<32 {
                let ids = try await session.ids(SQL.claim("a", "connect", 100))
                inFlight.append(ids.count)
                _ = try await session.column(SQL.completeAll("a"))
            }
            #expect(inFlight[0] == 4)
            #expect(inFlight[10] < 16)
            #expect(inFlight.last == 100)
            let ids = try await session.ids(SQL.claim("a", "connect", 10))
            try await doubt(session, try #require(ids.first))
            #expect(try await circuit(session, "connect") == "closed")
            #expect(
                try await session.value("SELECT call_window FROM onboarding.providers WHERE provider = 'connect'")
                    == "32")
            try await session.run("UPDATE onboarding.providers SET tried_at = now() - interval '2 min'")
            _ = try await session.column(SQL.completeAll("a"))
            #expect(try await session.column(SQL.claim("a", "connect", 100)).count < 6)
        }
    }

    @Test func `doubts that a lost worker left open nothing, and do not keep a probe waiting`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await connect(session, 9)
            func giveUp() async throws -> Int {
                let ids = try await session.ids(SQL.claim("a", "connect", 64))
                for id in ids {
                    _ = try await session.column(
                        SQL.complete(
                            "a", id, outcome: "ambiguous", state: "uncertain", reached: false, providerID: nil,
                            status: nil))
                }
                return ids.count
            }
            #expect(try await giveUp() == 4)
            #expect(try await circuit(session, "connect") == "closed")
            // Open for another reason: a probe that called nobody tells nothing, and the next one goes soon.
            try await session.run(
                "UPDATE onboarding.providers SET circuit = 'open', circuit_opened_at = now(), circuit_failures = 6 WHERE provider = 'connect';"
                    + Self.due)
            #expect(try await giveUp() == 1)
            #expect(
                try await session.value(
                    "SELECT circuit_failures = 6 AND circuit_probe_at < now() + interval '30 s' FROM onboarding.providers WHERE provider = 'connect'"
                ) == "true")
        }
    }

    @Test func `doubtful ends of providers that can be asked open nothing`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, bad: 0, good: 10)
            _ = try await session.column(SQL.claim("a", "iron", 10))
            for id in 1...10 { try await doubt(session, id) }
            #expect(try await circuit(session) == "closed")
        }
    }
}
