import JobQueue
import Logging
import Postgres
import TestKit
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(2))) struct SchemaWatchTests {
    @Test func `a notification makes it look, and only a breaking migration ends it`() async throws {
        try await withBench { bench in
            let pool = Pool(bench.database, size: 1)
            // Nothing but the bell can wake it.
            let watch = SchemaWatch(
                queue: Queue(pool: pool), logger: Logger(label: "test"), interval: .seconds(100_000))
            async let mustStop = watch.run()
            // It has looked once, and found nothing.
            try await bench.until(
                "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                    + "AND state = 'idle' AND query LIKE '%is_newer%')")
            try await bench.run("INSERT INTO onboarding.migrations (version, name) VALUES (9998, 'later')")
            watch.bell.ring()
            try await bench.run(
                "INSERT INTO onboarding.migrations (version, name, is_breaking) VALUES (9999, 'breaking', true)")
            watch.bell.ring()
            let result = await mustStop
            #expect(result)
            await pool.shutdown()
        }
    }

    @Test func `it ends without a reason when it is cancelled`() async throws {
        try await withBench { bench in
            let pool = Pool(bench.database, size: 1)
            let watch = SchemaWatch(queue: Queue(pool: pool), logger: Logger(label: "test"))
            let result = await withTaskGroup(of: Bool.self) { group in
                group.addTask { await watch.run() }
                group.cancelAll()
                return await group.next()
            }
            #expect(result == false)
            await pool.shutdown()
        }
    }
}
