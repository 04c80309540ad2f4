import NIOConcurrencyHelpers
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ListenerTests {
    private func withListener(
        _ body: (Listener, Connection) async throws -> Void
    ) async throws {
        try await withTestDatabase(migrated: false) { string in
            let configuration = ConnectionConfiguration(connectionString: string, applicationName: "listens")
            let listener = Listener(configuration, channels: ["jobs", "odd \"name"])
            let running = Task { await listener.run() }
            let other = try await Connection.open(ConnectionConfiguration(connectionString: string))
            do {
                try await body(listener, other)
            } catch {
                running.cancel()
                throw error
            }
            running.cancel()
            await running.value
            #expect(await next(listener) == nil)
            await other.close()
        }
    }

    private func next(_ listener: Listener) async -> Notification? {
        for await notification in listener.notifications { return notification }
        return nil
    }

    @Test func `what others notify is heard on each channel`() async throws {
        try await withListener { listener, other in
            #expect(await next(listener) == .reconnected)
            try await other.run(script: "NOTIFY jobs, 'a'; NOTIFY \"odd \"\"name\", 'b'")
            #expect(await next(listener) == .received(channel: "jobs", payload: "a"))
            #expect(await next(listener) == .received(channel: "odd \"name", payload: "b"))
        }
    }

    @Test func `after a terminated backend it listens again and says so`() async throws {
        try await withListener { listener, other in
            #expect(await next(listener) == .reconnected)
            for _ in 0..<2 {
                try await other.run(
                    script: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'listens'"
                        + " AND datname = current_database()")
                #expect(await next(listener) == .reconnected)
                try await other.run(script: "NOTIFY jobs, 'again'")
                #expect(await next(listener) == .received(channel: "jobs", payload: "again"))
            }
        }
    }

    @Test func `a reader that sleeps costs a bounded buffer`() async throws {
        try await withListener { listener, other in
            #expect(await next(listener) == .reconnected)
            try await other.run(
                script: "SELECT pg_notify('jobs', n::text) FROM generate_series(1, 5000) n; ; NOTIFY jobs, 'end'")
            var heard = 0
            while let heardNow = await next(listener), heardNow != .received(channel: "jobs", payload: "end") {
                heard += 1
            }
            #expect(heard <= 5000)
        }
    }

    @Test func `without a server it reports and goes on until cancelled`() async throws {
        let reports = AsyncStream<PostgresError>.makeStream()
        let listener = Listener(
            ConnectionConfiguration(connectionString: "host=127.0.0.1 port=1"), channels: ["c"],
            report: { reports.continuation.yield($0) })
        let running = Task { await listener.run() }
        var iterator = reports.stream.makeAsyncIterator()
        for _ in 0..<3 { #expect(await iterator.next()?.code == .connectionFailed) }
        running.cancel()
        await running.value
    }
}
