import Postgres
import TestKit
import Testing

/// What a server does in its life: TLS, a restart, a standby that takes over.
@Suite(.timeLimit(.minutes(10))) struct ServerLifeTests {
    private func loopback(_ server: PostgresServer, _ more: String) -> ConnectionConfiguration {
        ConnectionConfiguration(
            connectionString: "host=127.0.0.1 port=\(server.port) user=postgres dbname=postgres \(more)")
    }

    @Test func `TLS is libpq's own, and what goes through it is not changed`() async throws {
        guard let server = try await TestCluster.shared.server() else { return }
        let connection = try await Connection.open(
            loopback(server, "sslmode=verify-full sslrootcert=\(server.folder)/server.crt"))
        let isEncrypted = Statement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        #expect(try await connection.query(isEncrypted)[0].decode(Bool.self, at: 0))
        // Larger than any buffer of TLS or of libpq, so that what is left in one of them would be missed.
        let text = String(repeating: "ä€𝄞x", count: 500_000)
        let rows = try await connection.query(
            Statement("SELECT $1::text, repeat('y', 3000000)", parameters: [.text(text)]))
        #expect(try rows[0].decode(String.self, at: 0) == text)
        #expect(try rows[0].decode(String.self, at: 1).utf8.count == 3_000_000)
        let cancelled = Task { try await connection.query(Statement("SELECT pg_sleep(60)")) }
        try await Task.sleep(for: .milliseconds(50))
        cancelled.cancel()
        #expect(try await failure { _ = try await cancelled.value }.code == .cancelled)
        #expect(try await connection.query(isEncrypted).count == 1)
        await connection.close()
    }

    @Test func `a certificate that cannot be verified is refused with a sentence`() async throws {
        guard let server = try await TestCluster.shared.server() else { return }
        let other = try PostgresServer()
        try await other.start()
        let error = try await failure {
            _ = try await Connection.open(
                loopback(server, "sslmode=verify-full sslrootcert=\(other.folder)/server.crt"))
        }
        #expect(error.code == .connectionFailed)
        #expect(error.description.contains("certificate"), "\(error)")
        try await other.stop(.immediate)
    }

    @Test(arguments: [PostgresServer.StopMode.fast, .immediate])
    func `a pool outlives a restart of its server`(mode: PostgresServer.StopMode) async throws {
        let server = try PostgresServer()
        try await server.start()
        let pool = Pool(
            ConnectionConfiguration(connectionString: try server.connectionString.keywordForm), size: 3,
            acquireTimeout: .seconds(30))
        let one = Statement("SELECT 1")
        _ = try await pool.query(one)
        try await server.stop(mode)
        #expect(try await failure { _ = try await pool.query(one) }.isRetryable)
        try await server.start()
        let deadline = ContinuousClock.now + .seconds(20)
        var answered = false
        while !answered, ContinuousClock.now < deadline {
            do { answered = try await pool.query(one).count == 1 } catch { await Task.yield() }
        }
        #expect(answered)
        await pool.shutdown()
        try await server.stop(.immediate)
    }

    @Test func `of several hosts the one that accepts writes is found, also after a failover`() async throws {
        let primary = try PostgresServer()
        try await primary.start()
        let standby = try PostgresServer(standbyOf: primary)
        try await standby.start()
        let both = ConnectionConfiguration(
            connectionString: "host=127.0.0.1,127.0.0.1 port=\(standby.port),\(primary.port) user=postgres "
                + "dbname=postgres target_session_attrs=read-write")
        let port = Statement("SELECT inet_server_port()")
        let before = try await Connection.open(both)
        #expect(try await before.query(port)[0].decode(Int.self, at: 0) == primary.port)
        try await primary.stop(.immediate)
        #expect(try await failure { _ = try await before.query(port) }.isConnectionLost)
        await before.close()
        try await standby.promote()
        let after = try await Connection.open(both)
        #expect(try await after.query(port)[0].decode(Int.self, at: 0) == standby.port)
        await after.close()
        try await standby.stop(.immediate)
    }
}
