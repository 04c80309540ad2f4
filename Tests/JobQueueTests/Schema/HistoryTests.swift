import Postgres
import TestKit
import Testing

/// Partitions of the history, what is dropped and deleted, and what that must not break.
@Suite struct HistoryTests {
    /// A job of the kind that has ended `days` ago.
    private static func finished(_ days: Int, kind: String = "iron.customer.create", after: Int? = nil) -> String {
        """
        INSERT INTO onboarding.jobs (kind, payload, after_job_id) VALUES ('\(kind)', '\(SQL.person)', \(after.map(String.init) ?? "NULL"));
        SET CONSTRAINTS ALL IMMEDIATE;
        ALTER TABLE onboarding.jobs DISABLE TRIGGER jobs_legal_transition;
        UPDATE onboarding.jobs SET state = 'completed', provider_id = 'p', finished_at = now() - interval '\(days) days'
            WHERE id = (SELECT max(id) FROM onboarding.jobs);
        ALTER TABLE onboarding.jobs ENABLE TRIGGER jobs_legal_transition;
        """
    }

    /// Lets the next call of `maintain` do something at once.
    private static let again = "UPDATE onboarding.maintenance SET last_run_at = '-infinity';"

    /// As if it had just done something.
    private static let justNow = "UPDATE onboarding.maintenance SET last_run_at = clock_timestamp();"

    private static let partitions =
        "(SELECT count(*) FROM pg_inherits WHERE inhparent = 'onboarding.attempts'::regclass)"

    @Test func `partitions are made ahead, once, and by one worker at a time`() async throws {
        try await withSessions(2) { sessions in
            let (a, b) = (sessions[0], sessions[1])
            let before = try await a.value(Self.partitions)
            try await a.run(Self.justNow)
            #expect(try await a.value("onboarding.maintain(10)") == "(,,)")
            try await a.run(Self.again)
            #expect(try await a.value("onboarding.maintain(10)") == "(0,0,0)")
            #expect(try await a.value(Self.partitions) == before)
            try await a.run("DROP TABLE onboarding.attempts_rest; " + Self.again)
            // Every moment of the next two months has its place.
            try await a.run(
                """
                INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome)
                SELECT 1, d, now() + d * interval '1 day', gen_random_uuid(), 1, 'create', 'w', 'succeeded' FROM generate_series(0, 58) d;
                """)
            try await a.run("BEGIN; SELECT onboarding.maintain(10)")
            #expect(try await b.value("onboarding.maintain(10)") == "(,,)")
            try await a.run("COMMIT")
        }
    }

    @Test func `after a long pause partitions are made again, and the rows that came meanwhile move there`()
        async throws
    {
        try await withSessions { sessions in
            let a = sessions[0]
            // As if the last turn had been more than three months ago: only the partitions for the rest are left.
            try await a.run(
                """
                DO $$ DECLARE p regclass; BEGIN
                    FOR p IN SELECT inhrelid FROM pg_inherits
                        WHERE inhparent IN ('onboarding.attempts'::regclass, 'onboarding.state_changes'::regclass)
                          AND inhrelid::regclass::text NOT LIKE '%rest'
                    LOOP EXECUTE 'DROP TABLE ' || p; END LOOP;
                END $$;
                """ + SQL.worker("a") + SQL.enqueue() + SQL.enqueue())
            #expect(try await a.column(SQL.claim("a", "iron", 1)) == ["1"])
            _ = try await a.column(SQL.complete("a", 1))
            try await a.run(
                """
                SELECT onboarding.cancel(2);
                INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome)
                VALUES (1, 7, now() - interval '70 days', gen_random_uuid(), 1, 'create', 'w', 'succeeded');
                """ + Self.again)
            #expect(try await a.value("onboarding.maintain(10)") == "(7,0,0)")
            #expect(try await a.value("(SELECT count(*) FROM onboarding.attempts)") == "2")
            let rest =
                "(SELECT count(*) FROM onboarding.attempts_rest) + (SELECT count(*) FROM onboarding.state_changes_rest)"
            #expect(try await a.value(rest) == "0")
            #expect(try await a.value("(SELECT count(*) FROM onboarding.upkeep_failures)") == "0")
        }
    }

    /// Months that begin at another moment than in UTC, with and without summer time, on either side of the date line.
    static let zones = [
        "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati",
        "Pacific/Pago_Pago", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca",
    ]

    @Test(arguments: zones)
    func `the months of three years meet without a gap, whatever the session's time zone`(zone: String) async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(
                """
                SET timezone = '\(zone)'; SET datestyle = 'SQL, DMY';
                DROP TABLE onboarding.attempts_rest, onboarding.attempts_first;
                SELECT onboarding.add_partition('attempts', date_trunc('month', now(), 'UTC') + interval '3 days' + n * interval '1 month')
                FROM generate_series(0, 36) n;
                """)
            // The first and the last moment of each month have their place.
            try await a.run(
                """
                SET timezone = 'UTC';
                INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome)
                SELECT n, 1, date_trunc('month', now()) + n * interval '1 month' - edge * interval '1 microsecond',
                    gen_random_uuid(), 1, 'create', 'w', 'succeeded'
                FROM generate_series(0, 36) n CROSS JOIN generate_series(0, 1) edge WHERE n >= edge;
                """)
        }
    }

    @Test func `the first partition ends with a month of UTC, whatever time zone the migration ran in`() async throws {
        try await withSessions { sessions in
            let end = "onboarding.partition_end(inhrelid)"
            let crooked = try await sessions[0].column(
                """
                SELECT inhrelid::regclass FROM pg_inherits
                WHERE inhparent IN ('onboarding.attempts'::regclass, 'onboarding.state_changes'::regclass)
                  AND \(end) <> date_trunc('month', \(end), 'UTC')
                """)
            #expect(crooked == [])
        }
    }

    @Test func `what lies in the partition for the rest is let go by age as well`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(
                """
                DROP TABLE onboarding.attempts_first, onboarding.state_changes_first;
                INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome)
                SELECT n, 1, now() - n * interval '20 days', gen_random_uuid(), 1, 'create', 'w', 'succeeded' FROM generate_series(0, 3) n;
                INSERT INTO onboarding.state_changes (job_id, at, from_state, to_state, actor)
                SELECT n, now() - n * interval '20 days', 'available', 'cancelled', 'a' FROM generate_series(0, 3) n;
                SELECT onboarding.drop_history('32 days');
                """)
            #expect(try await a.column("SELECT job_id FROM onboarding.attempts ORDER BY 1") == ["0", "1"])
            #expect(try await a.column("SELECT job_id FROM onboarding.state_changes ORDER BY 1") == ["0", "1"])
        }
    }

    @Test func `history is dropped by age, and only when that is configured`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(
                """
                DROP TABLE onboarding.attempts_first;
                SELECT onboarding.add_partition('attempts', now() - interval '3 months'),
                    onboarding.add_partition('attempts', now() - interval '1 month');
                """ + Self.again)
            let before = try await a.value(Self.partitions)
            _ = try await a.value("onboarding.maintain(10)")
            // This month's took the place of the first.
            #expect(try await a.value("\(Self.partitions) - 1 = \(before ?? "")") == "true")
            try await a.run("UPDATE onboarding.maintenance SET keep_history = '32 days'; " + Self.again)
            #expect(try await a.value("onboarding.maintain(10)") == "(0,1,0)")
            let error = await a.error("UPDATE onboarding.maintenance SET keep_history = '1 day'")
            #expect(error?.sqlState?.code == "23514")
        }
    }

    @Test func `a long reader of the history puts off its partition and holds up nothing else`() async throws {
        try await withSessions(3) { sessions in
            let (a, reader, writer) = (sessions[0], sessions[1], sessions[2])
            try await a.run(
                """
                DROP TABLE onboarding.attempts_first;
                SELECT onboarding.add_partition('attempts', now() - interval '3 months'), onboarding.add_partition('attempts', now());
                UPDATE onboarding.maintenance SET keep_history = '32 days';
                INSERT INTO onboarding.ended (provider, completed, failed) VALUES ('iron', 1, 0);
                """ + Self.again)
            try await reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM onboarding.attempts")
            async let maintained = a.value("onboarding.maintain(10)")
            let end = ContinuousClock.now + .seconds(1)
            var id = 0
            while ContinuousClock.now < end {
                id += 1
                // A completion waits for half a second at most.
                try await writer.run(
                    """
                    SET lock_timeout = '500ms';
                    INSERT INTO onboarding.attempts (job_id, claim_token, claimed_at, idempotency_key, attempt, step, worker, outcome)
                    VALUES (\(id), 1, now(), gen_random_uuid(), 1, 'create', 'w', 'succeeded')
                    """)
            }
            #expect(try await maintained == "(0,0,0)")
            #expect(try await a.value("SELECT count(*) FROM onboarding.ended") == "0")
            try await reader.run("COMMIT")
            try await a.run(Self.again)
            #expect(try await a.value("onboarding.maintain(10)") == "(0,1,0)")
        }
    }

    @Test func `finished jobs are deleted by their kind's retention, those that others came after last`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await a.run(Self.finished(90))  // 1: goes
            try await a.run(Self.finished(90))  // 2: waits for 3
            try await a.run(Self.finished(40, kind: "iron.customer.create", after: 2))  // 3: goes
            try await a.run(Self.finished(10))  // 4: too young
            try await a.run(
                Self.finished(90, kind: "juicyway.customer.create").replacing(SQL.person, with: Juicy.person))
            try await a.run(SQL.enqueue())  // 6: not finished
            try await a.run(Self.again)
            #expect(try await a.value("onboarding.maintain(10)") == "(0,0,0)", "nothing is deleted unless asked for")
            try await a.run(
                "UPDATE onboarding.kinds SET keep_finished = '30 days' WHERE kind = 'iron.customer.create'; "
                    + Self.again)
            #expect(try await a.value("onboarding.maintain(1)") == "(0,0,1)", "a turn is bounded")
            for _ in 0..<3 {
                try await a.run(Self.again)
                _ = try await a.value("onboarding.maintain(10)")
            }
            #expect(try await a.column("SELECT id FROM onboarding.jobs ORDER BY id") == ["4", "5", "6"])
        }
    }
}

private enum Juicy {
    static let person =
        #"{"first_name": "A", "last_name": "B", "email": "a@b.c", "phone": "1", "type": "individual", "billing_address": {}}"#
}
