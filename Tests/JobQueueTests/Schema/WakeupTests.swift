import Postgres
import TestKit
import Testing

/// Which commits wake the workers.
@Suite(.timeLimit(.minutes(10))) struct WakeupTests {
    private static let longAgo = "SELECT setval('onboarding.last_wakeup_iron', 1);"
    private static let justNow =
        "SELECT setval('onboarding.last_wakeup_iron', (extract(epoch FROM clock_timestamp()) * 1000)::bigint);"

    /// The payloads of what was notified while `body` ran, in order; `NOTIFY onboarding_jobs, 'mark'` tells where.
    private func heard(_ body: ([Session]) async throws -> Void) async throws -> [String] {
        try await withTestDatabase { connectionString in
            let configuration = ConnectionConfiguration(connectionString: connectionString)
            let listener = Listener(configuration, channels: ["onboarding_jobs"])
            let listening = Task { await listener.run() }
            for await notification in listener.notifications where notification == .reconnected { break }
            var sessions: [Session] = []
            for _ in 0..<2 { sessions.append(Session(connection: try await Connection.open(configuration))) }
            try await body(sessions)
            try await sessions[0].run("NOTIFY onboarding_jobs, 'end'")
            var payloads: [String] = []
            for await case .received(_, let payload) in listener.notifications {
                if payload == "end" { break }
                payloads.append(payload)
            }
            for session in sessions { await session.connection.close() }
            listening.cancel()
            await listening.value
            return payloads
        }
    }

    @Test func `a job that commits wakes workers once, with all that came with it`() async throws {
        let heard = try await heard { sessions in
            try await sessions[0].run(
                "BEGIN;" + SQL.enqueue() + SQL.enqueue() + "INSERT INTO onboarding.jobs (kind, payload) "
                    + "SELECT 'iron.customer.create', '\(SQL.person)' FROM generate_series(1, 500); COMMIT")
        }
        #expect(heard == ["iron"])
    }

    @Test func `what commits within a few milliseconds of a wake-up is left to its second look`() async throws {
        let heard = try await heard { sessions in
            // A busy machine may take longer than those milliseconds: only an attempt that was within them counts.
            for attempt in 1... {
                let clock = "extract(epoch FROM clock_timestamp()) * 1000"
                let before = try #require(try await sessions[0].value(clock))
                try await sessions[0].run("BEGIN;" + SQL.enqueue() + Self.justNow + "COMMIT")
                if try await sessions[0].value("\(clock) - \(before) < 10") == "true" { break }
                try #require(attempt < 200)
                try await sessions[0].run("NOTIFY onboarding_jobs, 'again'")
            }
            try await sessions[0].run("NOTIFY onboarding_jobs, 'mark'")
            try await sessions[0].run("BEGIN;" + SQL.enqueue() + Self.longAgo + "COMMIT")
        }
        let counted = heard.lastIndex(of: "again").map { heard[($0 + 1)...] } ?? heard[...]
        #expect(counted == ["mark", "iron"])
    }

    @Test func `a transaction that stays open holds up nobody's wake-up`() async throws {
        let heard = try await heard { sessions in
            try await sessions[0].run(Self.longAgo + "BEGIN;" + SQL.enqueue())
            try await sessions[1].run(SQL.enqueue())
            try await sessions[1].run("NOTIFY onboarding_jobs, 'mark'")
            try await sessions[0].run(Self.longAgo + "COMMIT")
        }
        #expect(heard == ["iron", "mark", "iron"])
    }

    @Test func `each provider's workers are woken for its own jobs`() async throws {
        let heard = try await heard { sessions in
            try await sessions[0].run(
                "BEGIN;" + SQL.enqueue() + SQL.enqueue("connect.individual.create", SQL.connect) + SQL.enqueue()
                    + "COMMIT")
        }
        #expect(heard == ["iron", "connect"])
    }

    @Test func `what cannot run yet wakes nobody`() async throws {
        let heard = try await heard { sessions in
            try await sessions[0].run(SQL.enqueue("iron.customer.create", SQL.person, "order_key => 'a'"))
            try await sessions[0].run(Self.longAgo + "NOTIFY onboarding_jobs, 'mark'")
            try await sessions[0].run(
                SQL.enqueue("iron.customer.create", SQL.person, "order_key => 'a'")
                    + SQL.enqueue("iron.customer.create", SQL.person, "after_job_id => 1")
                    + SQL.enqueue("iron.customer.create", SQL.person, "run_at => now() + interval '1 hour'"))
        }
        #expect(heard == ["iron", "mark"])
    }

    @Test func `a clock that was set back does not silence wake-ups`() async throws {
        let heard = try await heard { sessions in
            try await sessions[0].run(
                "SELECT setval('onboarding.last_wakeup_iron', (extract(epoch FROM now() + interval '1 hour') * 1000)::bigint)"
            )
            try await sessions[0].run(SQL.enqueue())
        }
        #expect(heard == ["iron"])
    }

    @Test func `whoever commits a job wakes workers with it, whatever else that role may do`() async throws {
        let role = "commits_\(UInt64.random(in: 0...UInt64.max))"
        let heard = try await heard { sessions in
            try await sessions[0].run(
                "CREATE ROLE \(role); BEGIN; SET LOCAL ROLE onboarding_enqueuer;" + SQL.enqueue()
                    + "SET LOCAL ROLE \(role); COMMIT")
            try await sessions[0].run("DROP ROLE \(role)")
        }
        #expect(heard == ["iron"])
    }

    @Test func `nobody silences the wake-ups of others`() async throws {
        try await withSessions { sessions in
            for role in ["onboarding_monitor", "onboarding_enqueuer"] {
                let error = await sessions[0].error(
                    "SET ROLE \(role); SELECT onboarding.wake_workers('iron', '')")
                #expect(error?.sqlState == .insufficientPrivilege)
                try await sessions[0].run("RESET ROLE")
            }
        }
    }

    @Test func `whoever may insert a job wakes workers with it`() async throws {
        let heard = try await heard { sessions in
            try await sessions[0].run("SET ROLE onboarding_enqueuer;" + SQL.enqueue() + "RESET ROLE")
        }
        #expect(heard == ["iron"])
    }
}
