import NIOConcurrencyHelpers
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct PoolTests {
    @Test func `many tasks share few connections`() async throws {
        try await withPool(size: 4) { pool in
            let pids = NIOLockedValueBox<Set<Int>>([])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let rows = try await pool.query(
                            Statement("SELECT pg_backend_pid(), $1", name: "n", parameters: [.integer(number)]))
                        #expect(try rows[0].decode(Int.self, at: 1) == number)
                        let pid = try rows[0].decode(Int.self, at: 0)
                        _ = pids.withLockedValue { $0.insert(pid) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(pids.withLockedValue { $0.count } <= 4)
            #expect(pool.usage.leased == 0 && pool.usage.waiting == 0 && pool.usage.opening == 0)
        }
    }

    @Test func `without a free connection the wait ends with an error`() async throws {
        try await withPool(size: 1, acquireTimeout: .milliseconds(200)) { pool in
            try await pool.withConnection { _ in
                let error = try await failure { _ = try await pool.query(Statement("SELECT 1")) }
                #expect(error.code == .poolTimeout)
                #expect(error.isRetryable)
            }
            #expect(try await pool.query(Statement("SELECT 1")).count == 1)
        }
    }

    @Test func `a cancelled task leaves the line`() async throws {
        try await withPool(size: 1) { pool in
            try await pool.withConnection { _ in
                let waiting = Task { try await pool.query(Statement("SELECT 1")) }
                while pool.usage.waiting == 0 { await Task.yield() }
                waiting.cancel()
                let error = try await failure { _ = try await waiting.value }
                #expect(error.code == .cancelled)
                #expect(pool.usage.waiting == 0)
            }
        }
    }

    @Test func `a terminated backend is replaced without an error`() async throws {
        try await withPool(size: 2) { pool in
            for _ in 0..<3 {
                let pid = try await pool.query(Statement("SELECT pg_backend_pid()"))[0].decode(Int.self, at: 0)
                try await withConnection { other in
                    try await other.run(script: "SELECT pg_terminate_backend(\(pid))")
                    try await eventually(other, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = \(pid)")
                }
                #expect(try await pool.query(Statement("SELECT 1")).count == 1)
            }
        }
    }

    @Test func `a connection given back inside a transaction is closed`() async throws {
        try await withPool(size: 1) { pool in
            try await pool.withConnection { connection in
                _ = try await connection.query(Statement("BEGIN"))
            }
            #expect(pool.usage.idle == 0)
            let rows = try await pool.query(Statement("SELECT now() = statement_timestamp()"))
            #expect(rows.count == 1)
        }
    }

    @Test func `an unreachable server is an error for each, and nothing leaks`() async throws {
        let pool = Pool(
            ConnectionConfiguration(connectionString: "host=127.0.0.1 port=1"), size: 3,
            acquireTimeout: .milliseconds(400))
        await withTaskGroup(of: PostgresError.Code?.self) { group in
            for _ in 0..<20 {
                group.addTask { try? await failure { _ = try await pool.query(Statement("SELECT 1")) }.code }
            }
            for await code in group { #expect(code == .connectionFailed || code == .poolTimeout) }
        }
        #expect(pool.usage.leased == 0 && pool.usage.opening == 0 && pool.usage.waiting == 0)
    }

    @Test func `after the shutdown nothing is leased`() async throws {
        try await withPool(size: 1) { pool in
            try await pool.withConnection { connection in
                let waiting = Task { try await pool.query(Statement("SELECT 1")) }
                while pool.usage.waiting == 0 { await Task.yield() }
                await pool.shutdown()
                let error = try await failure { _ = try await waiting.value }
                #expect(error.code == .poolClosed)
                // What is leased stays usable until it comes back.
                let rows = try await connection.query(Statement("SELECT 1"))
                #expect(rows.count == 1)
            }
            #expect(try await failure { _ = try await pool.query(Statement("SELECT 1")) }.code == .poolClosed)
            #expect(pool.usage.idle == 0 && pool.usage.leased == 0)
        }
    }
}
