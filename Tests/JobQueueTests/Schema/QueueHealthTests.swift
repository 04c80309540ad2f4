import Postgres
import SQLCatalog
import TestKit
import Testing

/// What was counted before: the minutes of what has ended, and what waits where that is much.
@Suite struct QueueHealthTests {
    /// Ends of so long ago, one for each number of seconds.
    private static func ended(_ seconds: [Int], failed: Bool = false) -> String {
        """
        INSERT INTO onboarding.ended (at, provider, completed, failed)
        SELECT now() - s * interval '1 s', 'iron', \(failed ? 0 : 1), \(failed ? 1 : 0)
        FROM unnest('{\(seconds.map(String.init).joined(separator: ","))}'::integer[]) AS s;
        """
    }

    private static let counts =
        "SELECT completed_last_hour || ' ' || failed_last_hour FROM onboarding.queue_health WHERE provider = 'iron'"
    private static let maintain =
        "UPDATE onboarding.maintenance SET last_run_at = '-infinity'; SELECT onboarding.maintain(0)"

    @Test func `the last hour's ends are counted alike before and after their minutes are counted`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            // One more than an hour ago, and none so near the hour's edge that the test's own time matters.
            try await session.run(Self.ended([3700, 3500, 3300, 1800, 1790, 200, 100, 40, 10, 0]))
            try await session.run(Self.ended([3701, 2000, 5], failed: true))
            #expect(try await session.value(Self.counts) == "9 2")
            try await session.run(Self.maintain)
            #expect(
                try await session.value(
                    "SELECT counted_until > now() - interval '4 minutes' FROM onboarding.maintenance") == "true")
            #expect(try await session.value(Self.counts) == "9 2")
            // Counted once: what ended in a counted minute is not looked at again, and what is new is.
            try await session.run(Self.maintain)
            try await session.run(Self.ended([1, 1]))
            #expect(try await session.value(Self.counts) == "11 2")
        }
    }

    @Test func `minutes that nobody counted are made up for, and old ones go`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(Self.ended([7200, 3000, 1500, 300]))
            try await session.run(
                "UPDATE onboarding.maintenance SET counted_until = now() - interval '3 hours';"
                    + "INSERT INTO onboarding.ended_by_minute VALUES (now() - interval '3 hours', 'iron', 7, 7)")
            #expect(try await session.value(Self.counts) == "3 0")
            try await session.run(Self.maintain)
            #expect(try await session.value(Self.counts) == "3 0")
            #expect(
                try await session.value("SELECT count(*) FROM onboarding.ended_by_minute WHERE completed = 7") == "0")
            #expect(try await session.value("SELECT count(*) FROM onboarding.ended") == "0")
        }
    }

    @Test func `each end is counted once, in a transaction that is older than the sums, and when it commits late`()
        async throws
    {
        try await withSessions(3) { sessions in
            let (session, old, late) = (sessions[0], sessions[1], sessions[2])
            try await session.run(Self.ended([1800, 600, 300, 10]))
            try await late.run("BEGIN;" + Self.ended([400], failed: true))
            try await old.run("BEGIN")
            #expect(try await old.value(Self.counts) == "4 0")
            try await session.run(Self.maintain)
            #expect(try await old.value(Self.counts) == "4 0")
            #expect(try await session.value(Self.counts) == "4 0")
            try await late.run("COMMIT")
            try await session.run(Self.maintain)
            #expect(try await old.value(Self.counts) == "4 1")
            try await old.run("COMMIT")
            #expect(try await session.value(Self.counts) == "4 1")
        }
    }

    @Test(arguments: [10, 90]) func `a clock that is set back changes no count and stops no maintenance`(minutes: Int)
        async throws
    {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(Self.ended([600, 60]))
            try await session.run(Self.maintain + ";" + Self.ended([300, 20]))
            try await session.run(
                """
                UPDATE onboarding.ended SET at = at + interval '\(minutes) minutes';
                UPDATE onboarding.ended_by_minute SET minute = minute + interval '\(minutes) minutes';
                UPDATE onboarding.maintenance
                SET last_run_at = last_run_at + interval '\(minutes) minutes',
                    counted_until = counted_until + interval '\(minutes) minutes';
                """)
            #expect(try await session.value(Self.counts) == "4 0")
            try await session.run(Self.ended([30], failed: true))
            #expect(try await session.value(Self.counts) == "4 1")
            #expect(try await session.value("(onboarding.maintain(0)).jobs_deleted") == "0")
            #expect(try await session.value(Self.counts) == "4 1")
            try await session.run(Self.ended([5]))
            #expect(try await session.value(Self.counts) == "5 1")
        }
    }

    @Test func `each end is counted, whoever wrote it`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            func end(_ id: Int, _ outcome: String, _ state: String) -> String {
                SQL.complete("a", id, outcome: outcome, state: state, providerID: state == "completed" ? "p-*" : nil)
            }
            try await session.run(SQL.worker("a") + SQL.worker("b"))
            for _ in 1...5 { try await session.run(SQL.enqueue()) }
            _ = try await session.column(SQL.claim("a"))
            _ = try await session.column(end(1, "succeeded", "completed"))
            _ = try await session.column(end(2, "rejected", "failed"))
            for id in 3...4 { _ = try await session.column(end(id, "uncertain", "uncertain")) }
            #expect(try await session.value(Self.counts) == "1 1")
            // A person's verdict.
            try await session.run("SELECT onboarding.resolve(3, 'happened', 'p-3', 'seen')")
            #expect(try await session.value(Self.counts) == "2 1")
            // Evidence that came late, of a claim before.
            let lost = "(SELECT claim_token + 1 FROM onboarding.jobs WHERE id = 4)"
            _ = try await session.column(SQL.complete("b", 4, token: lost, providerID: "late"))
            #expect(try await session.value("SELECT state FROM onboarding.jobs WHERE id = 4") == "completed")
            #expect(try await session.value(Self.counts) == "3 1")
            // What never ran; what was withdrawn has neither failed nor been done.
            try await session.run(
                SQL.enqueue("iron.customer.create", SQL.person, "expires_at => now() + interval '1 h'"))
            try await session.run("UPDATE onboarding.jobs SET expires_at = now() - interval '1 s' WHERE id = 6")
            #expect(try await session.value("onboarding.expire_jobs(10)") == "1")
            try await session.run(SQL.enqueue() + "; SELECT onboarding.cancel(7, 'not needed')")
            #expect(try await session.value(Self.counts) == "3 2")
        }
    }

    @Test(arguments: [true, false])
    func `an upgrade counts what of the hour nobody has counted`(isCounted: Bool) async throws {
        try await withTestDatabase(migrated: false) { connectionString in
            let connection = try await Connection.open(ConnectionConfiguration(connectionString: connectionString))
            let session = Session(connection: connection)
            let counts = try #require(SQLCatalog.migrations.first { $0.name == "counts" })
            for migration in SQLCatalog.migrations where migration.version < counts.version {
                try await session.run("BEGIN; \(migration.sql) COMMIT")
            }
            try await session.run(SQL.firstKind)
            func end(_ ends: String) async throws {
                try await session.run(
                    """
                    SET session_replication_role = replica;
                    INSERT INTO onboarding.jobs (kind, payload, payload_bytes, state, finished_at, provider_id)
                    SELECT 'iron.customer.create', '\(SQL.person)', 10, s.state, now() - s.age * interval '1 s', 'p'
                    FROM (VALUES \(ends)) AS s (age, state);
                    SET session_replication_role = origin;
                    """)
            }
            // Some in minutes that are counted, some in none.
            try await end("(3700, 'completed'), (3550, 'completed'), (1800, 'failed'), (100, 'completed')")
            if isCounted { try await session.run(Self.maintain) }
            try await end("(50, 'completed'), (9, 'failed'), (9, 'cancelled')")
            #expect(try await session.value(Self.counts) == "3 2")
            try await session.run("BEGIN; \(counts.sql) COMMIT")
            #expect(try await session.value(Self.counts) == "3 2")
            try await session.run(Self.maintain)
            #expect(try await session.value(Self.counts) == "3 2")
            await connection.close()
        }
    }

    private static func waiting(_ count: Int, state: String, runAt: String = "now()") -> String {
        """
        SET session_replication_role = replica;
        INSERT INTO onboarding.jobs (kind, payload, payload_bytes, state, run_at)
        SELECT 'iron.customer.create', '\(SQL.person)', 10, '\(state)', \(runAt) FROM generate_series(1, \(count));
        SET session_replication_role = origin;
        """
    }

    @Test func `what is more than a look counts is counted once a minute, and by the look when nobody does`()
        async throws
    {
        try await withSessions { sessions in
            let session = sessions[0]
            func counts() async throws -> String? {
                try await session.value(
                    "SELECT concat_ws(' ', due, scheduled, waiting, uncertain, blocked) FROM onboarding.queue_health "
                        + "WHERE provider = 'iron'")
            }
            let count = "SELECT onboarding.count_whole_backlog()"
            try await session.run(
                "CREATE OR REPLACE FUNCTION onboarding.counted_at_once() RETURNS bigint LANGUAGE sql IMMUTABLE "
                    + "AS 'SELECT 10'")
            try await session.run(Self.waiting(6, state: "available"))
            try await session.run(Self.waiting(3, state: "available", runAt: "now() + interval '1 h'"))
            try await session.run(Self.waiting(2, state: "uncertain") + Self.waiting(9, state: "waiting"))
            try await session.run(count)
            #expect(try await session.value("SELECT count(*) FROM onboarding.backlog") == "0")
            #expect(try await counts() == "6 3 9 2 0")
            // Nobody has counted: the look does.
            try await session.run(Self.waiting(10, state: "available") + Self.waiting(12, state: "waiting"))
            try await session.run(Self.waiting(11, state: "blocked"))
            #expect(try await counts() == "16 3 21 2 11")
            try await session.run(count)
            #expect(try await counts() == "16 3 21 2 11")
            // What is little is told as it is, what is much as it was counted.
            for state in ["available", "waiting", "uncertain", "blocked"] {
                try await session.run(Self.waiting(1, state: state))
            }
            try await session.run(count)
            #expect(try await counts() == "16 3 21 3 11")
            let older = "UPDATE onboarding.backlog SET counted_at = counted_at - interval"
            try await session.run("\(older) '51 s'; \(count)")
            #expect(try await counts() == "17 3 22 3 12")
            try await session.run(Self.waiting(1, state: "blocked"))
            try await session.run("\(older) '4 minutes'")
            #expect(try await counts() == "17 3 22 3 12")
            // Another provider's count was of no use when there was little: it is not shown now that there is much.
            try await session.run(count)
            try await session.run(
                Self.waiting(12, state: "available").replacing("iron.customer.create", with: "axisfi.customer.create"))
            let axisFi = "SELECT due FROM onboarding.queue_health WHERE provider = 'axisfi'"
            #expect(try await session.value(axisFi) == "12")
            try await session.run(count)
            #expect(try await session.value("SELECT due FROM onboarding.backlog WHERE provider = 'axisfi'") == "12")
            // Too old, or of a clock that was ahead.
            try await session.run(Self.waiting(1, state: "blocked"))
            #expect(try await counts() == "17 3 22 3 13")
            for age in ["6 minutes", "-1 h"] {
                try await session.run("\(older) '\(age)'")
                #expect(try await counts() == "17 3 22 3 14")
            }
        }
    }

    @Test func `a look keeps to its bound, however much is blocked behind another job`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(Self.waiting(3, state: "available") + Self.waiting(12, state: "blocked"))
            try await session.run(
                "UPDATE onboarding.jobs SET order_key = 'a', is_behind = true WHERE state = 'blocked'")
            func counts(_ bound: String) async throws -> String? {
                try await session.value(
                    "SELECT concat_ws(' ', coalesce(due, -1), coalesce(blocked, -1)) "
                        + "FROM onboarding.count_backlog(\(bound)) WHERE provider = 'iron'")
            }
            #expect(try await counts("10") == "-1 -1")
            #expect(try await counts("16") == "3 12")
            #expect(try await counts("NULL") == "3 12")
        }
    }
}
