import TestKit
import Testing

/// The counts of what has ended, which come in part from minutes that were counted before.
@Suite struct QueueHealthTests {
    /// Jobs that ended so long ago, one for each number of seconds.
    private static func ended(_ seconds: [Int], state: String = "completed") -> String {
        """
        SET session_replication_role = replica;
        INSERT INTO onboarding.jobs (kind, payload, payload_bytes, state, finished_at, provider_id)
        SELECT 'iron.customer.create', '\(SQL.person)', 10, '\(state)', now() - s * interval '1 s', 'p'
        FROM unnest('{\(seconds.map(String.init).joined(separator: ","))}'::integer[]) AS s;
        SET session_replication_role = origin;
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
            try await session.run(Self.ended([3701, 2000, 5], state: "failed"))
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
            // Deleted jobs have ended all the same.
            try await session.run("DELETE FROM onboarding.jobs WHERE finished_at < now() - interval '10 minutes'")
            #expect(try await session.value(Self.counts) == "11 2")
        }
    }

    @Test func `minutes that nobody counted are made up for, and old ones go`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(Self.maintain)
            try await session.run(Self.ended([7200, 3000, 1500, 300]))
            try await session.run(
                "UPDATE onboarding.maintenance SET counted_until = now() - interval '3 hours';"
                    + "INSERT INTO onboarding.ended_by_minute VALUES (now() - interval '3 hours', 'iron', 7, 7)")
            #expect(try await session.value(Self.counts) == "3 0")
            try await session.run(Self.maintain)
            #expect(try await session.value(Self.counts) == "3 0")
            #expect(
                try await session.value("SELECT count(*) FROM onboarding.ended_by_minute WHERE completed = 7") == "0")
        }
    }
}
