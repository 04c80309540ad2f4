import Glibc
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ConnectionTests {
    @Test func `a statement returns its rows`() async throws {
        try await withConnection { connection in
            let rows = try await connection.query(Statement("SELECT 1::bigint AS one, 'a' AS letter"))
            #expect(rows.columns == ["one", "letter"])
            #expect(try rows[0].decode(Int64.self, "one") == 1)
            #expect(try rows[0].decode(String.self, at: 1) == "a")
            #expect(await connection.serverVersion >= 150_000)
            #expect(await connection.backendPID > 0)
        }
    }

    @Test func `the whole schema can be migrated`() async throws {
        try await withConnection(migrated: true) { connection in
            let rows = try await connection.query(Statement("SELECT max(version) FROM onboarding.migrations"))
            #expect(try rows[0].decode(Int.self, at: 0) >= 1)
        }
    }

    @Test func `a database's defaults do not change what a commit means`() async throws {
        try await withTestDatabase(migrated: false) { string in
            let configuration = ConnectionConfiguration(connectionString: string)
            let first = try await Connection.open(configuration)
            let name = try await first.query(Statement("SELECT current_database()"))[0].decode(String.self, at: 0)
            // A script of several statements is one transaction, in which this is not allowed.
            for setting in ["synchronous_commit = off", "default_transaction_isolation = 'repeatable read'"] {
                try await first.run(script: "ALTER DATABASE \"\(name)\" SET \(setting)")
            }
            await first.close()
            let second = try await Connection.open(configuration)
            let settings = try await second.query(
                Statement(
                    "SELECT current_setting('synchronous_commit') || ', ' || current_setting('transaction_isolation')"))
            #expect(try settings[0].decode(String.self, at: 0) == "on, read committed")
            await second.close()
        }
    }

    @Test func `a session has the limits of its configuration`() async throws {
        try await withConnection {
            $0.lockTimeout = .milliseconds(1234)
        } _: { connection in
            let rows = try await connection.query(
                Statement(
                    """
                    SELECT name, setting FROM pg_settings WHERE name IN ('application_name', 'lock_timeout',
                    'statement_timeout', 'idle_in_transaction_session_timeout', 'client_encoding') ORDER BY name
                    """))
            let values = try rows.map { try $0.decode(String.self, at: 1) }
            #expect(values == ["onboard", "UTF8", "30000", "1234", "33000"])
        }
    }

    @Test func `the server lets go of a client that stands still`() async throws {
        try await withTestDatabase(migrated: false) { string in
            let connection = try await Connection.open(
                ConnectionConfiguration(connectionString: string + " hostaddr=127.0.0.1"))
            let rows = try await connection.query(Statement("SHOW tcp_user_timeout"))
            let limit = try rows[0].decode(String.self, at: 0)
            #expect(limit == "10000")
            await connection.close()
        }
    }

    @Test func `settings in the connection string win`() async throws {
        try await withTestDatabase(migrated: false) { string in
            let own = string + " application_name=mine options='-c lock_timeout=77'"
            let connection = try await Connection.open(ConnectionConfiguration(connectionString: own))
            let rows = try await connection.query(
                Statement("SELECT current_setting('lock_timeout'), current_setting('application_name')"))
            #expect(try rows[0].decode(String.self, at: 0) == "77ms")
            #expect(try rows[0].decode(String.self, at: 1) == "mine")
            await connection.close()
        }
    }

    @Test func `an error has its SQLSTATE and the constraint and leaves the connection usable`() async throws {
        try await withConnection { connection in
            try await connection.run(script: "CREATE TABLE t (secret text CONSTRAINT only_once UNIQUE)")
            let insert = Statement("INSERT INTO t VALUES ($1)", parameters: [.text("hunter2")])
            #expect(try await connection.query(insert).affected == 1)
            let error = try await failure { _ = try await connection.query(insert) }
            #expect(error.code == .server)
            #expect(error.sqlState == .uniqueViolation)
            #expect(error.constraint == "only_once")
            #expect(!"\(error)\(String(reflecting: error))".contains("hunter2"))
            #expect(!error.isRetryable)
            #expect(try await connection.query(Statement("SELECT 1")).count == 1)
        }
    }

    @Test(arguments: ["SELECT $1::text::integer", "SELECT $1::text::json", "SELECT $1::text::date"])
    func `a refused value is not in the error`(sql: String) async throws {
        try await withConnection { connection in
            let error = try await failure {
                _ = try await connection.query(Statement(sql, parameters: [.text("hunter2")]))
            }
            #expect(error.sqlState?.isClass("22") == true)
            #expect(!"\(error)\(String(reflecting: error))".contains("hunter2"))
        }
    }

    @Test func `a statement that takes too long is cancelled on the server`() async throws {
        try await withConnection { connection in
            let start = ContinuousClock.now
            let error = try await failure {
                _ = try await connection.query(Statement("SELECT pg_sleep(60)"), timeout: .milliseconds(200))
            }
            #expect(error.code == .timedOut)
            #expect(error.sqlState == .queryCanceled)
            #expect(!error.isConnectionLost)
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(try await connection.query(Statement("SELECT 1")).count == 1)
        }
    }

    @Test func `a statement may take longer than the usual limit if it says so`() async throws {
        try await withConnection {
            $0.statementTimeout = .milliseconds(100)
            $0.cancelGrace = .milliseconds(100)
        } _: { connection in
            _ = try await connection.query(Statement("SELECT pg_sleep(0.6)"), timeout: .seconds(20))
            let rows = try await connection.query(Statement("SHOW statement_timeout"))
            #expect(try rows[0].decode(String.self, at: 0) == "200ms")
        }
    }

    @Test func `cancelling the task cancels the statement on the server`() async throws {
        try await withTestDatabase(migrated: false) { string in
            let configuration = ConnectionConfiguration(connectionString: string)
            let connection = try await Connection.open(configuration)
            let watcher = try await Connection.open(configuration)
            let pid = await connection.backendPID
            let sleeping = Task { try await connection.query(Statement("SELECT pg_sleep(60)")) }
            let isSleeping = "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = \(pid) AND wait_event = 'PgSleep'"
            try await eventually(watcher, isSleeping)
            sleeping.cancel()
            let error = try await failure { _ = try await sleeping.value }
            #expect(error.code == .cancelled)
            #expect(!error.isConnectionLost)
            try await eventually(watcher, isSleeping.replacing("= 1", with: "= 0"))
            // The cancel never hits the next statement.
            for _ in 0..<50 { _ = try await connection.query(Statement("SELECT 1")) }
            await connection.close()
            await watcher.close()
        }
    }

    @Test func `a cancelled task sends nothing`() async throws {
        try await withConnection { connection in
            try await connection.run(script: "CREATE TABLE t (id integer)")
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                _ = try await connection.query(Statement("INSERT INTO t VALUES (1)"))
            }
            let error = try await failure { try await task.value }
            #expect(error.code == .cancelled)
            #expect(try await connection.query(Statement("SELECT * FROM t")).isEmpty)
        }
    }

    @Test func `many cancels at random moments never hit a neighbour`() async throws {
        try await withConnection { connection in
            for round in 0..<60 {
                let task = Task { try await connection.query(Statement("SELECT pg_sleep(0.002)")) }
                for _ in 0..<round * 20 { await Task.yield() }
                task.cancel()
                let rows = try await connection.query(Statement("SELECT \(round)"))
                #expect(try rows[0].decode(Int.self, at: 0) == round)
                _ = await task.result
            }
        }
    }

    @Test func `a terminated backend is seen before anything is sent`() async throws {
        try await withTestDatabase(migrated: false) { string in
            let configuration = ConnectionConfiguration(connectionString: string)
            let connection = try await Connection.open(configuration)
            let other = try await Connection.open(configuration)
            let pid = await connection.backendPID
            try await other.run(script: "SELECT pg_terminate_backend(\(pid))")
            try await eventually(other, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = \(pid)")
            let error = try await failure { _ = try await connection.query(Statement("SELECT 1")) }
            #expect(error.code == .closed)
            #expect(error.isConnectionLost)
            #expect(error.isRetryable)
            await other.close()
        }
    }

    @Test func `a backend terminated in the middle of a statement leaves its fate unknown`() async throws {
        try await withConnection { connection in
            let error = try await failure {
                _ = try await connection.query(Statement("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)"))
            }
            #expect(error.code == .connectionLost)
            #expect(error.sqlState == .adminShutdown)
            let next = try await failure { _ = try await connection.query(Statement("SELECT 1")) }
            #expect(next.code == .closed)
        }
    }

    @Test func `a closed connection says so`() async throws {
        try await withConnection { connection in
            await connection.close()
            await connection.close()
            let error = try await failure { _ = try await connection.query(Statement("SELECT 1")) }
            #expect(error.code == .closed)
        }
    }

    @Test func `slow statements do not hold the cooperative pool`() async throws {
        try await withTestDatabase(migrated: false) { string in
            // More than the machine has cores.
            let count = 24
            let configuration = ConnectionConfiguration(connectionString: string)
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        let connection = try await Connection.open(configuration)
                        _ = try await connection.query(Statement("SELECT pg_sleep(1.5)"))
                        await connection.close()
                    }
                }
                group.addTask {
                    for _ in 0..<10_000 { await Task.yield() }
                }
                try await group.waitForAll()
            }
            #expect(ContinuousClock.now - start < .seconds(15))
        }
    }

    @Test func `a server that does not even answer the cancel loses the connection, in bounded time`() async throws {
        try await withConnection {
            $0.cancelGrace = .milliseconds(200)
        } _: { connection in
            let pid = pid_t(await connection.backendPID)
            // Works on the private cluster: its processes are ours, or we are root.
            try #require(kill(pid, SIGSTOP) == 0)
            let start = ContinuousClock.now
            let error = try await failure {
                _ = try await connection.query(Statement("SELECT 1"), timeout: .milliseconds(200))
            }
            kill(pid, SIGCONT)
            #expect(error.code == .timedOut)
            #expect(error.closedConnection && error.isConnectionLost)
            #expect(ContinuousClock.now - start < .seconds(20))
            #expect(try await failure { _ = try await connection.query(Statement("SELECT 1")) }.code == .closed)
        }
    }

    @Test func `COPY is refused and closes the connection`() async throws {
        try await withConnection { connection in
            let error = try await failure { try await connection.run(script: "COPY pg_class TO STDOUT") }
            #expect(error.code == .unsupported)
            #expect(error.isConnectionLost)
        }
    }

    @Test func `a script stops at its first error and rolls back`() async throws {
        try await withConnection { connection in
            let error = try await failure {
                try await connection.run(script: "CREATE TABLE t (id integer); SELECT 1/0; CREATE TABLE u ()")
            }
            #expect(error.sqlState?.code == "22012")
            let rows = try await connection.query(Statement("SELECT to_regclass('t')::text"))
            #expect(rows[0].isNull(at: 0))
        }
    }
}
