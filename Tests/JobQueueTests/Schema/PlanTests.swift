import Postgres
import TestKit
import Testing

/// The cost of the hot statements in pages touched, which no noise of the machine changes, whatever the tables hold
/// and whatever the statistics say.
@Suite struct PlanTests {
    /// What one statement did.
    private struct Cost {
        var pages: Int
        var sequentialScans: Int
    }

    /// Jobs as they are after years: as many finished with their journal as wait.
    private static func fill(_ session: Session, _ count: Int) async throws {
        try await session.connection.run(
            script: """
                SET session_replication_role = replica;
                INSERT INTO onboarding.jobs (kind, payload, payload_bytes)
                SELECT 'iron.customer.create', '\(SQL.person)', 100 FROM generate_series(1, \(count / 2));
                WITH finished AS (
                    INSERT INTO onboarding.jobs (kind, payload, payload_bytes, state, provider_id, finished_at, claim_token)
                    SELECT 'iron.customer.create', '\(SQL.person)', 100, 'completed', 'record', now(), -1
                    FROM generate_series(1, \(count - count / 2)) RETURNING id
                )
                INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome)
                SELECT id, -1, now(), gen_random_uuid(), 1, 'create', 'a', 'succeeded' FROM finished;
                SET session_replication_role = origin;
                """, timeout: .seconds(300))
    }

    private func scans(_ session: Session) async throws -> Int {
        try await session.run("SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot()")
        let sum = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname ~ '^(jobs|attempts|state_changes)'"
        return Int(try #require(try await session.value(sum))) ?? 0
    }

    private func cost(_ session: Session, _ statement: String) async throws -> Cost {
        let before = try await scans(session)
        let rows = try await session.connection.query(
            Statement("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT JSON) \(statement)"),
            timeout: .seconds(300))
        let plan = try rows.map { try $0.decode(String.self, at: 0) }.joined()
        let pages = ["Shared Hit Blocks", "Shared Read Blocks"].map { name -> Int in
            guard let range = plan.firstRange(of: "\"\(name)\": ") else { return 0 }
            return Int(plan[range.upperBound...].prefix { $0.isNumber }) ?? 0
        }
        return Cost(pages: pages.reduce(0, +), sequentialScans: try await scans(session) - before)
    }

    /// Each hot statement once, on so many jobs.
    private func costs(_ session: Session, jobs: Int = 100) async throws -> [(String, Cost)] {
        var result: [(String, Cost)] = []
        func measure(_ name: String, _ statement: String) async throws {
            result.append((name, try await cost(session, statement)))
        }
        /// What `a` has claimed is kept where reading it costs no index and no scan of the jobs.
        func keepBatch() async throws {
            try await session.run(
                """
                CREATE TEMPORARY TABLE IF NOT EXISTS batch (LIKE onboarding.jobs); TRUNCATE batch;
                INSERT INTO batch SELECT * FROM onboarding.jobs WHERE state = 'running'
                """)
            let count = try await session.value("SELECT count(*) FROM batch")
            #expect(count == "\(jobs)", "after \(result.last?.0 ?? "nothing")")
        }
        /// The provider as if it had refused nothing.
        func forgetRefusals() async throws {
            try await session.run(
                """
                SELECT onboarding.resume_provider('iron');
                UPDATE onboarding.providers SET circuit = 'closed', circuit_probe_at = NULL, circuit_failures = 0
                """)
        }
        try await measure("claim", SQL.claim("a", "iron", 100))
        try await measure("has work", "SELECT onboarding.has_work('{iron}')")
        try await keepBatch()
        try await measure(
            "mark sent", "SELECT onboarding.mark_sent('a', array_agg(id), array_agg(claim_token)) FROM batch")
        try await measure(
            "throttled", SQL.completeAll("a", from: "batch", outcome: "throttled", state: "available", hold: "0"))
        try await forgetRefusals()
        _ = try await session.column(SQL.claim("a", "iron", 100))
        try await keepBatch()
        try await measure(
            "unauthorized", SQL.completeAll("a", from: "batch", outcome: "unauthorized", state: "available"))
        try await session.run("UPDATE onboarding.providers SET circuit = 'half_open', circuit_probe_at = now()")
        try await measure("probe", SQL.completeAll("a", from: "batch"))
        try await forgetRefusals()
        _ = try await session.column(SQL.claim("a", "iron", 100))
        try await keepBatch()
        try await measure("complete", SQL.completeAll("a", from: "batch"))
        try await measure("late", SQL.completeAll("a", from: "batch"))
        try await measure("settle", "SELECT onboarding.settle_dependents(array_agg(id)) FROM batch")
        _ = try await session.column(SQL.claim("gone", "iron", 100))
        try await session.run(
            "UPDATE onboarding.worker_leases SET lease_expires_at = now() - interval '1 s' WHERE id = 'gone'")
        try await measure("take over", "SELECT onboarding.take_over('a', '{}'::bigint[], 100, true)")
        try await session.run(
            "UPDATE onboarding.jobs SET expires_at = now() - interval '1 s' WHERE id = ANY (ARRAY("
                + "SELECT id FROM onboarding.jobs WHERE state = 'available' AND provider = 'iron' "
                + "ORDER BY priority, run_at, id LIMIT 100))")
        try await measure("expire", "SELECT onboarding.expire_jobs(100)")
        try await session.run("UPDATE onboarding.worker_leases SET lease_expires_at = now() + interval '1 h'")
        return result
    }

    /// How often jobs were looked up by id, and among those that run.
    private func lookUps(_ session: Session) async throws -> [Int] {
        let counts = try await session.column(
            "SELECT pg_stat_get_xact_numscans('onboarding.jobs_pkey'::regclass) UNION ALL "
                + "SELECT pg_stat_get_xact_numscans('onboarding.jobs_running_idx'::regclass)")
        return try counts.map { Int(try #require($0)) ?? 0 }
    }

    @Test func `ends and marks find their jobs by id, though no job ran when the statistics were made`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.worker("a"))
            try await Self.fill(session, 10_000)
            try await session.run("VACUUM ANALYZE onboarding.jobs")
            _ = try await session.column(SQL.claim("a", "iron", 200))
            try await session.run(
                "CREATE TEMPORARY TABLE batch AS SELECT * FROM onboarding.jobs WHERE state = 'running'")
            for statement in [
                "SELECT onboarding.mark_sent('a', array_agg(id), array_agg(claim_token)) FROM batch",
                SQL.completeAll("a", from: "batch"),
            ] {
                try await session.run("BEGIN")
                let before = try await lookUps(session)
                try await session.run(statement)
                let after = try await lookUps(session)
                try await session.run("COMMIT")
                // A mark locks each before it writes.
                let lookUps = statement.contains("mark_sent") ? 400 : 200
                #expect(zip(after, before).map { $0 - $1 } == [lookUps, 0], "\(statement.prefix(30))")
            }
            let completed = "SELECT count(*) FROM onboarding.jobs WHERE claimed_by = 'a' AND state = 'completed'"
            #expect(try await session.value(completed) == "200")
        }
    }

    @Test func `what waits for a job is found by it, though nothing was blocked when the statistics were made`()
        async throws
    {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run("ALTER TABLE onboarding.jobs SET (autovacuum_enabled = off);" + SQL.worker("a"))
            try await Self.fill(session, 10_000)
            try await session.run("VACUUM ANALYZE onboarding.jobs")
            let follower = #"'iron.identification.create', '{"type": "Direct"}'"#
            try await session.run(
                """
                SET session_replication_role = replica;
                INSERT INTO onboarding.jobs (kind, payload, payload_bytes, state, after_job_id)
                SELECT \(follower), 100, 'blocked', id FROM onboarding.jobs WHERE state = 'available';
                SET session_replication_role = origin;
                """)
            _ = try await session.column(SQL.claim("a", "iron", 200))
            let one = "SELECT id FROM onboarding.jobs WHERE state = 'available' LIMIT 1"
            for statement in [
                SQL.completeAll("a"), "SELECT onboarding.cancel((\(one)), 'not needed')",
                "SELECT onboarding.enqueue(\(follower), after_job_id => (\(one))); SET CONSTRAINTS ALL IMMEDIATE",
            ] {
                let scans = "SELECT pg_stat_get_xact_numscans('onboarding.jobs_blocked_idx'::regclass)"
                try await session.run("BEGIN")
                let before = try await session.value(scans)
                try await session.run(statement)
                #expect(try await session.value(scans) == before, "\(statement.prefix(30))")
                try await session.run("COMMIT")
            }
            let released = "SELECT count(*) FROM onboarding.jobs WHERE after_job_id IS NOT NULL AND state = 'available'"
            #expect(try await session.value(released) == "200")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `hot statements touch as many pages among a million rows, however stale the statistics`() async throws {
        // On a server of its own: as long as a transaction of any other test is open, dead entries stay in the indexes.
        try await withOwnServer { string, _ in
            try await withSessions(2, on: string, hotStatements)
        }
    }

    private func hotStatements(_ sessions: [Session]) async throws {
        // Another one fills: what `fill` sets makes its session forget the plans that it has made.
        let (session, filler) = (sessions[0], sessions[1])
        // The snapshot of an automatic analyze keeps dead entries in the indexes.
        try await session.run(
            """
            DO $$ DECLARE t regclass; BEGIN
                FOR t IN SELECT oid FROM pg_class
                    WHERE relnamespace = 'onboarding'::regnamespace AND relkind = 'r'
                LOOP EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t); END LOOP;
            END $$
            """)
        try await session.run(SQL.worker("a") + SQL.worker("gone"))
        // Stale to the utmost: the statistics say that all tables are empty.
        try await session.run("ANALYZE")
        for (name, cost) in try await costs(session, jobs: 0) {
            #expect(cost.sequentialScans == 0, "\(name), among no rows")
        }
        try await Self.fill(filler, 10_000)
        let small = try await costs(session)
        try await Self.fill(filler, 990_000)
        let stale = try await costs(session)
        try await session.connection.run(script: "ANALYZE", timeout: .seconds(300))
        let fresh = try await costs(session)
        for (name, before) in small {
            for (statistics, costs) in [("stale", stale), ("fresh", fresh)] {
                let cost = try #require(costs.first { $0.0 == name }?.1)
                // An index that is a hundred times larger is a level deeper, and its pages split more often. A throttle
                // looks at the last two thousand ends.
                let bound = before.pages * 2 + (name == "throttled" ? 2200 : 200)
                #expect(cost.pages <= bound, "\(name), \(statistics) statistics")
                #expect(cost.sequentialScans == 0, "\(name), \(statistics) statistics")
            }
            #expect(before.sequentialScans == 0, "\(name)")
        }
    }

    @Test func `what looks for running jobs passes by those that ended while a snapshot is held`() async throws {
        try await withSessions(2) { sessions in
            let (holder, session) = (sessions[0], sessions[1])
            try await session.run(SQL.worker("a") + SQL.worker("gone"))
            try await session.run(
                """
                ALTER TABLE onboarding.jobs SET (autovacuum_enabled = off);
                UPDATE onboarding.worker_leases SET lease_expires_at = now() - interval '10 s' WHERE id = 'gone';
                UPDATE onboarding.providers SET max_in_flight = 500 WHERE provider = 'iron'
                """)
            try await holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM onboarding.jobs")
            try await Self.fill(session, 8000)
            for _ in 0..<30 {
                _ = try await session.column(SQL.claim("a", "iron", 100))
                _ = try await session.column(SQL.completeAll("a"))
            }
            let looks = [
                "SELECT onboarding.permits('iron', 10)", "SELECT onboarding.take_over('a', '{}'::bigint[], 100, false)",
                "SELECT onboarding.old_claims('a')", "SELECT onboarding.has_running('a')",
            ]
            for look in looks {
                let pages = try await cost(session, look).pages
                #expect(pages > 250, "\(look) has much to walk")
            }
            try await session.run(
                "UPDATE onboarding.maintenance SET last_run_at = '-infinity'; SELECT onboarding.maintain(1)")
            let aMinute = "now() - running_since BETWEEN interval '59 s' AND interval '90 s'"
            #expect(try await session.value("SELECT \(aMinute) FROM onboarding.maintenance") == "true")
            // As if it had been a minute later.
            try await session.run("UPDATE onboarding.maintenance SET running_since = clock_timestamp()")
            for look in looks {
                // The lesser of two: what other databases do can make a session read all of its catalogue again.
                let pages = try await min(cost(session, look).pages, cost(session, look).pages)
                #expect(pages < 100, "\(look)")
            }
            // One that was claimed before the rest, by a clock that went back: a thorough look finds it, and its place.
            _ = try await session.column(SQL.claim("gone", "iron", 1))
            #expect(try await session.value("SELECT count(*) FROM onboarding.jobs WHERE state = 'running'") == "0")
            _ = try await session.column(SQL.claim("a", "iron", 1))
            try await session.run(
                """
                UPDATE onboarding.jobs SET claimed_at = claimed_at - interval '2 h', claimed_by = 'nobody'
                WHERE state = 'running'
                """)
            #expect(try await session.value("SELECT onboarding.take_over('a', '{}'::bigint[], 100, false)") == "0")
            #expect(try await session.value("SELECT onboarding.take_over('a', '{}'::bigint[], 100, true)") == "1")
            try await holder.run("COMMIT")
        }
    }
}
