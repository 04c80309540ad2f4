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

    @Test func `who comes first is told that nobody watched the clock, and how far it was set back`() async throws {
        try await withSessions(2) { sessions in
            let (session, operator_) = (sessions[0], sessions[1])
            func signOn(_ name: String) async throws -> String? {
                try await session.value(
                    "SELECT concat_ws(' ', is_new, unwatched_ms / 60000) FROM onboarding.register_worker('\(name)', 'host', '0', 8, '{iron}', 60000)"
                )
            }
            // Somebody's open transaction does not keep a worker from signing on, nor off.
            try await operator_.run("BEGIN; UPDATE onboarding.maintenance SET keep_history = '3 months'")
            #expect(try await signOn("a") == "t 0")
            #expect(try await signOn("b") == "t")
            #expect(try await signOn("b") == "")
            try await session.run("SELECT onboarding.remove_worker('b')")
            try await operator_.run("COMMIT")
            // A lease that looks alive only because the clock was set back is nobody's.
            try await session.run(
                "UPDATE onboarding.worker_leases SET last_seen_at = now() + interval '59 min 30 s', lease_expires_at = now() + interval '1 h'"
            )
            #expect(try await signOn("c") == "t -59")
            // The leases of workers that signed off are gone; what the last one saw is not.
            try await session.run(
                """
                DELETE FROM onboarding.worker_leases WHERE id <> 'c'; SELECT onboarding.remove_worker('c');
                UPDATE onboarding.maintenance SET clock_seen_at = clock_seen_at + interval '179 min 30 s'
                """)
            #expect(try await signOn("d") == "t -179")
        }
    }

    @Test func `what waits begins anew when the clock is set back, a caller's time does not`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            for _ in 1...4 { try await session.run(SQL.enqueue()) }
            // One that backs off, one that a throttle put off, one that was just inserted, one for later.
            try await session.run(
                """
                UPDATE onboarding.jobs SET updated_at = now() + interval '1 h', run_at = now() + interval '1 h'
                    + CASE id WHEN 3 THEN interval '0' ELSE interval '20 s' END,
                    last_outcome = CASE id WHEN 1 THEN 'unavailable' WHEN 2 THEN 'throttled' END
                """)
            #expect(try await session.value("onboarding.note_clock_jump(-3600000)") == "3")
            #expect(try await session.value("onboarding.note_clock_jump(-3600000)") == "0")
            #expect(
                try await session.column(
                    "SELECT (run_at < now() + interval '30 s')::text FROM onboarding.jobs ORDER BY id")
                    == ["true", "true", "true", "false"])
            #expect(
                try await session.value(
                    "SELECT clock_set_back_at BETWEEN now() + interval '59 min' AND now() + interval '61 min' FROM onboarding.maintenance"
                )
                    == "true")
        }
    }

    @Test func `a mark of before the clock was set back counts, and a proof ends the doubt of before`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue("axisfi.customer.create", SQL.business) + SQL.worker("a"))
            _ = try await session.column(SQL.claim("a", "axisfi"))
            // The clock was set back between the claim and the mark.
            try await session.run(
                """
                UPDATE onboarding.jobs SET claimed_at = now() + interval '10 min';
                SELECT onboarding.mark_sent('a', array_agg(id), array_agg(claim_token)) FROM onboarding.jobs;
                UPDATE onboarding.worker_leases SET lease_expires_at = now() - interval '1 s';
                """ + SQL.worker("b"))
            #expect(try await session.value("onboarding.take_over('b', '{}'::bigint[], 10, true)") == "1")
            #expect(try await session.value("SELECT last_sent_at IS NOT NULL FROM onboarding.jobs") == "true")
            // And before the claim that looks it up.
            try await session.run(
                "UPDATE onboarding.jobs SET run_at = now(), step = 'look_up', last_sent_at = now() + interval '10 min'")
            _ = try await session.column(SQL.claim("b", "axisfi"))
            _ = try await session.column(
                SQL.complete(
                    "b", 1, outcome: "not_found", state: "available", proven: true, providerID: nil, step: "look_up",
                    status: 404))
            #expect(
                try await session.value("SELECT concat_ws(' ', state, last_sent_at) FROM onboarding.jobs")
                    == "available")
        }
    }

}
