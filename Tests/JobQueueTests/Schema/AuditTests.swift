import Postgres
import TestKit
import Testing

/// Who did what, when and why.
@Suite struct AuditTests {
    private static let changes =
        "SELECT concat_ws(' ', actor, object, old_values, new_values) FROM onboarding.audit WHERE action = 'changed' ORDER BY at"

    /// What a statement leaves in the audit.
    static let updates: [(String, String)] = [
        (
            "UPDATE onboarding.providers SET max_in_flight = 3, burst = 2 WHERE provider = 'iron'",
            #"providers iron {"burst": null, "max_in_flight": null} {"burst": 2, "max_in_flight": 3}"#
        ),
        (
            "UPDATE onboarding.providers SET effect_horizon = '5 min' WHERE provider = 'axisfi'",
            #"providers axisfi {"effect_horizon": "00:02:00"} {"effect_horizon": "00:05:00"}"#
        ),
        (
            "UPDATE onboarding.providers SET paused_until = 'infinity', pause_reason = 'x' WHERE provider = 'connect'",
            #"providers connect {"pause_reason": null, "paused_until": null} {"pause_reason": "x", "paused_until": "infinity"}"#
        ),
        (
            "UPDATE onboarding.kinds SET keep_finished = '30 days' WHERE kind = 'iron.customer.create'",
            #"kinds iron.customer.create {"keep_finished": null} {"keep_finished": "30 days"}"#
        ),
        (
            "UPDATE onboarding.maintenance SET keep_history = '24 months'",
            #"maintenance {"keep_history": null} {"keep_history": "2 years"}"#
        ),
        (
            "SELECT onboarding.limit_provider('iron', rate_per_second => 7)",
            #"providers iron {"rate_per_second": null} {"rate_per_second": 7}"#
        ),
    ]

    @Test(arguments: updates)
    func `a change of a setting is noted with who made it, and what was there before`(
        update: String, note: String
    ) async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(update)
            // Nothing is changed by this.
            try await a.run("UPDATE onboarding.providers SET max_in_flight = max_in_flight, updated_at = now()")
            let login = try #require(try await a.value("session_user"))
            #expect(try await a.column(Self.changes).map { Self.unquoted($0) } == ["\(login) \(note)"])
        }
    }

    /// A text as a composite's one column prints it, without that form's quotes.
    private static func unquoted(_ text: String?) -> String {
        let text = text ?? ""
        return text.hasPrefix("\"") ? String(text.dropFirst().dropLast()).replacing("\"\"", with: "\"") : text
    }

    @Test func `an operator's own statement is noted, and what a worker writes is not`() async throws {
        try await withSessions(2) { sessions in
            let (a, b) = (sessions[0], sessions[1])
            try await a.run(
                "BEGIN; SET LOCAL ROLE onboarding_operator; UPDATE onboarding.providers SET burst = 5; COMMIT")
            #expect(try await b.value("(SELECT count(*) FROM onboarding.setting_changes)") == "4")
            try await b.run(SQL.enqueue() + SQL.worker("a"))
            _ = try await b.column(SQL.claim("a"))
            _ = try await b.column(
                SQL.complete("a", 1, outcome: "throttled", state: "available", providerID: nil, hold: 1000, status: 429)
            )
            _ = try await b.value("onboarding.maintain(10)")
            #expect(try await b.value("(SELECT count(*) FROM onboarding.setting_changes)") == "4")
        }
    }

    @Test func `whoever a program acts for is named in its place`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(
                "SET onboarding.actor = 'ada'; SELECT onboarding.pause_provider('iron', 'why');"
                    + "UPDATE onboarding.providers SET burst = 5 WHERE provider = 'iron';" + SQL.enqueue()
                    + "SELECT onboarding.cancel(1, 'no'); RESET onboarding.actor; SELECT onboarding.retry(1)")
            let actors = "SELECT actor FROM onboarding.audit WHERE object IN ('providers iron', 'jobs 1') ORDER BY at"
            let login = try #require(try await a.value("session_user"))
            #expect(Set(try await a.column(actors).dropLast()) == ["ada"])
            #expect(try await a.column(actors).last == login)
            #expect(try await a.value("(SELECT count(*) FROM onboarding.audit)") == "5")
        }
    }

    @Test func `sessions that the owner of the schema may not see are counted with what would show them`() async throws
    {
        try await withSessions { sessions in
            let a = sessions[0]
            let owner = "onboard_owner_\(try #require(try await a.value("pg_backend_pid()")))"
            try await a.run("CREATE ROLE \(owner); ALTER FUNCTION onboarding.snapshot_holders() OWNER TO \(owner)")
            let hidden = "SELECT state FROM onboarding.vacuum_horizon WHERE holder = 'sessions that cannot be seen'"
            #expect(try await a.column(hidden) == ["\"GRANT pg_read_all_stats TO \(owner);\""])
            // What cannot be ordered comes last.
            #expect(
                try await a.value(
                    "(SELECT array_position(array_agg(age IS NULL), true) = count(*) FROM onboarding.vacuum_horizon)")
                    == "true")
            try await a.run("GRANT pg_read_all_stats TO \(owner)")
            #expect(try await a.column(hidden) == [])
            try await a.run("ALTER FUNCTION onboarding.snapshot_holders() OWNER TO CURRENT_USER; DROP ROLE \(owner)")
        }
    }
}
