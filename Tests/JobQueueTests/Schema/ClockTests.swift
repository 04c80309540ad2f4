import Postgres
import Testing

/// Times that were stored before the database's clock jumped.
@Suite struct ClockTests {
    static let ages: [(sent: String, t: String, watched: String?, setBack: String?, age: String?)] = [
        ("12:00:00", "12:00:10", nil, nil, "10000"),
        // Nobody watched, or the clock jumped ahead.
        ("11:00:00", "12:00:10", "12:00:08", nil, "2000"),
        ("12:00:09", "12:00:10", "12:00:08", nil, "1000"),
        ("11:00:00", "12:00:10", "12:30:00", nil, "0"),
        // In the future: unknown, until it is known that the clock was set back.
        ("13:00:00", "12:00:10", "09:00:00", nil, "0"),
        ("13:00:00", "12:00:10", "12:00:08", "13:00:05", "2000"),
        ("13:00:06", "12:00:10", "12:00:08", "13:00:05", "0"),
    ]

    @Test(arguments: ages)
    func `the age of a send is never more than is known`(
        sent: String, t: String, watched: String?, setBack: String?, age: String?
    ) async throws {
        func time(_ text: String?) -> String { text.map { "'2026-01-01 \($0)'" } ?? "NULL" }
        try await withSessions { sessions in
            let shown = try await sessions[0].value(
                "onboarding.sent_age_ms(\(time(sent)), \(time(t)), \(time(watched)), \(time(setBack)))")
            let unsent = try await sessions[0].value("onboarding.sent_age_ms(NULL, \(time(t)), \(time(watched)), NULL)")
            #expect(shown == age)
            #expect(unsent == nil)
        }
    }

    @Test func `a key is as old as may be where the clock was set back since its first use`() async throws {
        try await withSessions { sessions in
            let old = "3155760000000"
            for (first, setBack, age) in [
                ("12:00:00", "NULL", "10000"), ("13:00:00", "NULL", old), ("12:00:00", "'2026-01-01 12:30'", old),
                ("12:00:09", "'2026-01-01 12:00:05'", "1000"),
            ] {
                let shown = try await sessions[0].value(
                    "onboarding.key_age_ms('2026-01-01 \(first)', '2026-01-01 12:00:10', \(setBack))")
                #expect(shown == age)
            }
        }
    }

    @Test func `a claim tells ages by these rules`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(
                SQL.worker("a") + SQL.enqueue("axisfi.customer.create", SQL.business)
                    + """
                    UPDATE onboarding.jobs SET first_sent_at = now() - interval '1 h', last_sent_at = now() - interval '1 h';
                    UPDATE onboarding.maintenance SET clock_watched_since = now() - interval '3 s', clock_set_back_at = now() - interval '30 min';
                    """)
            #expect(
                try await session.value(
                    "SELECT first_sent_ms || ' ' || (last_sent_ms BETWEEN 3000 AND 60000) FROM onboarding.claim('a', 'axisfi', 1, 10000, 10000, 1000)"
                )
                    == "3155760000000 true")
        }
    }

    private static let setBack: [(set: String, what: String)] = [
        ("rate_per_second = 10, rate_due_at = now() + interval '10 min'", "rate"),
        ("held_until = now() + interval '10 min', throttled_at = now() + interval '9 min'", "hold"),
        ("held_until = now() + interval '25 h'", "hold"),
        ("circuit = 'open', circuit_probe_at = now() + interval '11 min'", "probe"),
        ("circuit = 'half_open', circuit_probe_at = now() + interval '11 min'", "probe"),
        (
            "adaptive_rate = 10, throttled_at = now() + interval '10 min', rate_due_at = now() + interval '10 min'",
            "learnt rate"
        ),
    ]

    @Test(arguments: setBack)
    func `no stored time ahead is believed beyond its greatest distance`(set: String, what: String) async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.worker("a") + SQL.enqueue() + "UPDATE onboarding.providers SET \(set)")
            #expect(try await session.column(SQL.claim("a", "iron", 1)).count == 1, "\(what)")
        }
    }

    @Test func `the lease of a worker that died before the clock was set back ends`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(
                SQL.worker("dead", leaseMilliseconds: 10_000) + SQL.worker("a")
                    + "UPDATE onboarding.worker_leases SET last_seen_at = last_seen_at + interval '1 h', lease_expires_at = lease_expires_at + interval '1 h' WHERE id = 'dead'"
            )
            #expect(try await session.value("onboarding.renew_lease('a', 3600000, 0, false)") == "true")
            #expect(
                try await session.value(
                    "SELECT lease_expires_at BETWEEN now() + interval '5 s' AND now() + interval '11 s' FROM onboarding.worker_leases WHERE id = 'dead'"
                )
                    == "true")
        }
    }

    @Test func `who comes first does not trust ages, who comes second does not reset them`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            let watched = "SELECT clock_watched_since FROM onboarding.maintenance"
            try await session.run(SQL.worker("a"))
            let first = try await session.value(watched)
            #expect(first != nil)
            try await session.run(SQL.worker("b"))
            #expect(try await session.value(watched) == first)
            #expect(try await session.value("onboarding.register_worker('b', 'host', '0', 8, '{iron}', 1000)") == nil)
            // A lease that looks alive only because the clock was set back is nobody's.
            try await session.run(
                "UPDATE onboarding.worker_leases SET last_seen_at = now() + interval '1 h', lease_expires_at = now() + interval '1 h 10 s';"
                    + SQL.worker("c"))
            #expect(try await session.value(watched) != first)
        }
    }

    @Test func `a backoff begins anew when the clock is set back, a caller's time does not`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(
                SQL.enqueue() + SQL.enqueue()
                    + "UPDATE onboarding.jobs SET run_at = now() + interval '1 h 20 s', updated_at = now() + interval '1 h', backoff_step = (id = 1)::integer"
            )
            #expect(try await session.value("onboarding.note_clock_jump(-3600000)") == "1")
            #expect(try await session.value("onboarding.note_clock_jump(-3600000)") == "0")
            #expect(
                try await session.column(
                    "SELECT (run_at < now() + interval '30 s')::text FROM onboarding.jobs ORDER BY id")
                    == ["true", "false"])
            #expect(
                try await session.value(
                    "SELECT clock_set_back_at BETWEEN now() + interval '59 min' AND now() + interval '61 min' FROM onboarding.maintenance"
                )
                    == "true")
        }
    }
}
