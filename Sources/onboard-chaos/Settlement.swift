import TestKit

/// The time after the last fault: first everything must come right by itself, then what waits long is hurried.
struct Settlement: Sendable {
    let stage: Stage
    let mark: String

    /// Ends every fault, watches, and lets the workers finish; what did not hold is in the findings.
    func run() async throws -> [Books.Finding] {
        stage.link.set(.open)
        try stage.simulator.setFaults([])
        try await stage.desk.run("UPDATE chaos.settings SET value = 0")
        // Before anything is moved that nobody would move in earnest.
        let late = Books.Finding(
            invariant: "no job with few attempts, and no provider, waits more than ten minutes",
            violations: try await jobsPutOff())
        let circuits = Books.Finding(
            invariant: "circuits close by themselves within 30 s", violations: try await circuitsThatStayOpen())
        let left = try await finish()
        return [late, circuits, Books.Finding(invariant: "all work ends within four minutes", violations: left)]
    }

    /// Scheduled later than so few attempts explain, or held longer than any provider here asks for. Callers put nothing
    /// off for so long.
    private func jobsPutOff() async throws -> [(job: String?, problem: String)] {
        try await stage.desk.rows(
            """
            SELECT j.id::text, j.state || ' until ' || j.run_at || ' after ' || count(a.job_id) || ' attempts'
            FROM onboarding.jobs j LEFT JOIN onboarding.attempts a ON a.job_id = j.id AND NOT a.late
            WHERE j.state = 'available' AND j.run_at > clock_timestamp() + interval '10 minutes'
                -- What was planned by a clock that was wrong waits by it.
                AND j.id NOT IN (SELECT a.job_id FROM chaos.astray a)
            GROUP BY j.id HAVING count(a.job_id) <= 8
            UNION ALL
            SELECT NULL, provider || ' is held until ' || held_until FROM onboarding.providers
            WHERE held_until > clock_timestamp() + interval '10 minutes'
            LIMIT 20
            """, columns: 2
        ).map { ($0[0], $0[1] ?? "") }
    }

    private func circuitsThatStayOpen() async throws -> [(job: String?, problem: String)] {
        // A circuit closes over a call that is answered: each provider gets new work.
        try await stage.desk.run(
            """
            SELECT count(*) FROM generate_series(900000000, 900000059) n CROSS JOIN LATERAL chaos.enqueue(n, '\(mark)')
            WHERE n % 7 <> 0 AND n % 11 NOT IN (0, 5) AND n % 17 <> 3
                AND NOT EXISTS (SELECT 1 FROM onboarding.jobs WHERE (payload ->> 'chaos')::bigint >= 900000000)
            """)
        let open =
            "SELECT provider || ': ' || coalesce(circuit_reason, '') || ', next probe at ' || coalesce(circuit_probe_at::text, 'never') "
            + "FROM onboarding.providers WHERE circuit <> 'closed'"
        let end = ContinuousClock.now + .seconds(30)
        var left = try await stage.desk.rows(open)
        while !left.isEmpty, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(500))
            left = try await stage.desk.rows(open)
        }
        return left.map { (nil, $0[0] ?? "") }
    }

    /// Does what an operator would do rather than wait for an hour of backoff; gives the jobs that do not end.
    private func finish() async throws -> [(job: String?, problem: String)] {
        let left =
            "SELECT id::text, state || ' at ' || step FROM onboarding.jobs "
            + "WHERE state IN ('available', 'running', 'blocked', 'waiting') LIMIT 20"
        let end = ContinuousClock.now + .seconds(240)
        var jobs = try await stage.desk.rows(left, columns: 2)
        while !jobs.isEmpty, ContinuousClock.now < end {
            try await stage.desk.run(
                """
                SELECT onboarding.resume_provider(provider) FROM onboarding.providers;
                UPDATE onboarding.jobs SET run_at = now() WHERE state = 'available' AND run_at > now() + interval '2 s';
                """)
            try await Operators(stage: stage).judge(onlyInTheWay: true)
            try await Task.sleep(for: .seconds(2))
            jobs = try await stage.desk.rows(left, columns: 2)
        }
        return jobs.map { ($0[0], $0[1] ?? "") }
    }
}
