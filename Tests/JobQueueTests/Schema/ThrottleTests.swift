import Postgres
import Testing

/// What refusals for the number of calls do to the provider: nothing that depends on the jobs that were refused.
@Suite struct ThrottleTests {
    private static let iron = "FROM onboarding.providers WHERE provider = 'iron'"
    /// Time passes for the provider's row.
    private static func pass(_ time: String) -> String {
        """
        UPDATE onboarding.providers SET throttled_at = throttled_at - interval '\(time)', held_until = held_until - interval '\(time)',
            measured_since = measured_since - interval '\(time)', rate_due_at = rate_due_at - interval '\(time)';
        UPDATE onboarding.jobs SET claimed_at = claimed_at - interval '\(time)', finished_at = finished_at - interval '\(time)';
        """
    }

    private func number(_ text: String?) -> Double { Double(text ?? "") ?? -1 }

    private func fill(_ session: Session, _ count: Int = 200) async throws {
        try await session.run(
            "INSERT INTO onboarding.jobs (kind, payload) SELECT 'iron.customer.create', '\(SQL.person)' FROM generate_series(1, \(count));"
                + SQL.worker("a"))
    }

    private func throttle(_ session: Session, _ id: Int, hold: Int? = nil) async throws {
        _ = try await session.column(
            SQL.complete(
                "a", id, outcome: "throttled", state: "available", counted: false, providerID: nil, hold: hold,
                status: 429))
    }

    /// Claims one job and lets it be refused, as often as asked, each after the hold of the one before.
    private func refuse(_ session: Session, times: Int) async throws -> [Double] {
        var holds: [Double] = []
        for _ in 0..<times {
            let ids = try await session.ids(SQL.claim("a", "iron", 1))
            try await throttle(session, try #require(ids.first))
            let hold = try await session.value("SELECT extract(epoch FROM held_until - throttled_at) \(Self.iron)")
            holds.append(number(hold))
            try await session.run(Self.pass("2 min"))
        }
        return holds
    }

    @Test func `a storm of refusals is one signal, whatever the jobs had behind them`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session)
            try await session.run("UPDATE onboarding.jobs SET backoff_step = 13")
            #expect(try await session.column(SQL.claim("a", "iron", 64)).count == 64)
            for id in 1...64 { try await throttle(session, id) }
            #expect(
                try await session.value(
                    "SELECT throttle_streak || ' ' || (held_until < clock_timestamp() + interval '0.4 s') \(Self.iron)")
                    == "1 true")
            #expect(try await session.value("SELECT max(backoff_step) FROM onboarding.jobs") == "13")
            #expect(
                try await session.value("SELECT count(*) FROM onboarding.provider_events WHERE event = 'throttled'")
                    == "1")
        }
    }

    @Test func `the hold doubles while nothing is let in, up to a minute, and shrinks when something was`() async throws
    {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session)
            let holds = try await refuse(session, times: 11)
            for (hold, usual) in zip(holds, [0.25, 0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]) {
                #expect((usual * 0.7...usual * 1.25).contains(hold))
            }
            for id in try await session.ids(SQL.claim("a", "iron", 1)) {
                _ = try await session.column(SQL.complete("a", id))
            }
            // One more doubling was counted than shows, and two are taken back.
            #expect(try await session.value("SELECT throttle_streak \(Self.iron)") == "11")
            _ = try await refuse(session, times: 1)
            #expect(try await session.value("SELECT throttle_streak \(Self.iron)") == "9")
        }
    }

    @Test(arguments: [
        (0, 0.15, 0.4), (-5000, 0.15, 0.4), (30_000, 29.0, 30.1), (1_000_000_000_000, 86_000, 86_401),
    ])
    func `what the provider asks for holds, within its bounds`(asked: Int, least: Double, most: Double) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session, 2)
            _ = try await session.column(SQL.claim("a", "iron", 1))
            try await throttle(session, 1, hold: asked)
            let hold = try await session.value("SELECT extract(epoch FROM held_until - throttled_at) \(Self.iron)")
            #expect((least...most).contains(number(hold)))
            try await session.run("UPDATE onboarding.providers SET held_until = clock_timestamp() + interval '1 s'")
            #expect(try await session.value("SELECT string_agg(reason, ',') FROM onboarding.why(2)") == "held")
        }
    }

    @Test func `a learnt rate spaces claims, shows, grows and is forgotten`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session)
            #expect(try await session.column(SQL.claim("a", "iron", 15)).count == 15)
            // Ten were let in.
            for id in 1...10 { _ = try await session.column(SQL.complete("a", id)) }
            for id in 11...15 { try await throttle(session, id) }
            let rate = try await session.value(
                "SELECT adaptive_rate FROM onboarding.queue_health WHERE provider = 'iron'")
            #expect((5.0...11.0).contains(number(rate)))
            try await session.run(Self.pass("1 s"))
            #expect((1...2).contains(try await session.column(SQL.claim("a", "iron", 50)).count))
            #expect(
                try await session.value("SELECT hint FROM onboarding.claim('a', 'iron', 1, 1000, 1000, 1)") == "rate")
            // Longer than the questions take.
            try await session.run("UPDATE onboarding.providers SET rate_due_at = rate_due_at + interval '400 ms'")
            #expect(try await session.value("SELECT string_agg(reason, ',') FROM onboarding.why(199)") == "rate_limit")
            try await session.run(Self.pass("20 s"))
            #expect(
                try await session.value(
                    "SELECT adaptive_rate > 20 FROM onboarding.queue_health WHERE provider = 'iron'") == "true")
            try await session.run(Self.pass("5 min"))
            #expect(try await session.column(SQL.claim("a", "iron", 50)).count == 50)
            #expect(
                try await session.value("SELECT coalesce(adaptive_rate::text, 'none') || throttle_streak \(Self.iron)")
                    == "none0")
            #expect(
                try await session.column("SELECT event FROM onboarding.provider_events ORDER BY id")
                    == ["throttled", "unthrottled"])
        }
    }

    @Test func `a learnt rate does not exceed what an operator has set`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await fill(session)
            try await session.run(
                "UPDATE onboarding.providers SET rate_per_second = 5, burst = 3, adaptive_rate = 1000, throttled_at = now() - interval '2 s'"
            )
            #expect(try await session.column(SQL.claim("a", "iron", 50)).count == 3)
        }
    }
}
