import Glibc
import NIOConcurrencyHelpers
import TestKit
import Testing

@testable import Postgres

/// Servers that stand still: they accept connections, and links to them are up, but nobody answers.
@Suite(.timeLimit(.minutes(10))) struct SilenceTests {
    /// Two links to a server of its own: one that can be stalled and the direct one, tried in that order.
    private func withTwoHosts(
        _ body: (_ first: TCPProxy, _ both: ConnectionConfiguration, _ firstPort: Statement) async throws -> Void
    ) async throws {
        let server = try PostgresServer()
        try await server.start()
        let first = try await TCPProxy.start(to: server.port)
        let both = ConnectionConfiguration(
            connectionString: "host=127.0.0.1,127.0.0.1 port=\(first.port),\(server.port) user=postgres dbname=postgres"
                + " sslmode=disable connect_timeout=2")
        try await body(first, both, Statement("SELECT 1"))
        try await first.stop()
        try await server.stop(.immediate)
    }

    private func local(_ server: PostgresServer, _ hosts: String, _ ports: String, _ more: String = "") -> String {
        "host=\(hosts) port=\(ports) user=postgres dbname=postgres sslmode=disable \(more)"
    }

    @Test(arguments: ["connect_timeout=2", ""])
    func `a silent host is left for the next one after the time for one host`(limit: String) async throws {
        guard let server = try await TestCluster.shared.server() else { return }
        let silent = try SilentServer()
        let string = local(server, "127.0.0.1,127.0.0.1", "\(silent.port),\(server.port)", limit)
        let start = ContinuousClock.now
        let connection = try await Connection.open(
            ConnectionConfiguration(
                connectionString: string + " target_session_attrs=read-write",
                connectTimeout: limit.isEmpty ? .milliseconds(500) : .seconds(600)))
        #expect(ContinuousClock.now - start < .seconds(60))
        #expect(try await connection.query(Statement("SELECT 1")).count == 1)
        await connection.close()
    }

    @Test func `a name that is not known is left for the next host, and each failure is told once`() async throws {
        guard let server = try await TestCluster.shared.server() else { return }
        let string = local(server, "nobody.invalid,127.0.0.1", "\(server.port)")
        await (try await Connection.open(ConnectionConfiguration(connectionString: string))).close()
        let silent = try SilentServer()
        let error = try await failure {
            let string = local(server, "nobody.invalid,127.0.0.1,127.0.0.1", "\(silent.port),\(silent.port),1")
            _ = try await Connection.open(
                ConnectionConfiguration(connectionString: string, connectTimeout: .milliseconds(500)))
        }
        #expect(error.code == .connectionFailed)
        for part in ["nobody.invalid", "no answer within", "refused"] {
            #expect(error.message.contains(part), "\(error)")
        }
    }

    @Test func `each address of one name is tried, for its own time`() async throws {
        guard let server = try await TestCluster.shared.server() else { return }
        // Nobody listens on .2, and on .3 a server stands still.
        let silent = try SilentServer(lastByte: 3, port: server.port)
        let looked = NIOLockedValueBox<[String]>([])
        for addresses in [["127.0.0.2", "127.0.0.1"], ["127.0.0.3", "127.0.0.2", "127.0.0.1"]] {
            var configuration = ConnectionConfiguration(
                connectionString: local(server, "db.example", "\(server.port)"), connectTimeout: .milliseconds(500))
            configuration.lookUp = { host in
                looked.withLockedValue { $0.append(host) }
                return .addresses(addresses)
            }
            let connection = try await Connection.open(configuration)
            let address = try await connection.query(Statement("SELECT host(inet_server_addr())"))[0]
            #expect(try address.decode(String.self, at: 0) == "127.0.0.1")
            await connection.close()
            configuration.lookUp = { _ in .addresses(addresses.dropLast()) }
            let unreachable = configuration
            let error = try await failure { _ = try await Connection.open(unreachable) }
            for address in addresses.dropLast() { #expect(error.message.contains(address), "\(error)") }
        }
        #expect(looked.withLockedValue { $0 } == ["db.example", "db.example"])
        withExtendedLifetime(silent) {}
    }

    @Test func `a refused login is not tried elsewhere`() async throws {
        guard let server = try await TestCluster.shared.server() else { return }
        let ports = "\(server.port),1"
        let error = try await failure {
            let string = local(server, "127.0.0.1,127.0.0.1", ports, "user=nobody_of_this_name")
            _ = try await Connection.open(ConnectionConfiguration(connectionString: string))
        }
        #expect(error.sqlState?.isClass("28") == true)
        #expect(!error.message.contains("refused"))
    }

    @Test func `hosts, addresses and ports are paired as libpq pairs them`() {
        typealias Target = ConnectionTarget
        #expect(Target.all(host: "", hostaddr: "", port: "") == [Target()])
        #expect(
            Target.all(host: "a,b", hostaddr: "", port: "1") == [
                Target(host: "a", port: "1"), Target(host: "b", port: "1"),
            ])
        #expect(
            Target.all(host: "a,b", hostaddr: "::1,", port: "1,") == [
                Target(host: "a", address: "::1", port: "1"), Target(host: "b"),
            ])
        #expect(Target.all(host: "a,b", hostaddr: "", port: "1,2,3") == [Target()])
        #expect(Target(host: "b").isName)
        #expect(!Target(host: "/tmp").isName)
        #expect(!Target(host: "a", address: "::1").isName)
    }

    @Test func `a statement whose server falls silent ends, and the next one goes to the next host`() async throws {
        try await withTwoHosts { first, both, one in
            let pool = Pool(both, size: 1)
            let slow = Task { try await pool.query(Statement("SELECT pg_sleep(600)"), timeout: .seconds(600)) }
            while pool.usage.leased == 0 { await Task.yield() }
            // It has to be under way; sooner, connecting would fail instead.
            try await Task.sleep(for: .milliseconds(300))
            first.set(.stalled)
            let start = ContinuousClock.now
            let error = try await failure { _ = try await slow.value }
            #expect(ContinuousClock.now - start < .seconds(60))
            #expect(error.code == .connectionLost)
            #expect(try await pool.query(one).count == 1)
            await pool.shutdown()
        }
    }

    @Test func `a pool whose server fell silent while nobody asked loses no statement`() async throws {
        try await withTwoHosts { first, both, one in
            let pool = Pool(both, size: 3)
            try await withThrowingTaskGroup { group in
                for _ in 0..<3 { group.addTask { try await pool.query(Statement("SELECT pg_sleep(0.5)")) } }
                try await group.waitForAll()
            }
            #expect(pool.usage.idle == 3)
            first.set(.stalled)
            try await Task.sleep(for: .seconds(2.2))
            let start = ContinuousClock.now
            #expect(try await pool.query(one).count == 1)
            #expect(ContinuousClock.now - start < .seconds(60))
            // The other two have gone with the first.
            #expect(pool.usage.idle == 1)
            await pool.shutdown()
        }
    }

    @Test func `a listener whose server falls silent listens at the next host`() async throws {
        try await withTwoHosts { first, both, _ in
            let listener = Listener(both, channels: ["jobs"])
            let running = Task { await listener.run() }
            var heard = listener.notifications.makeAsyncIterator()
            #expect(await heard.next() == .reconnected)
            first.set(.stalled)
            let start = ContinuousClock.now
            #expect(await heard.next() == .reconnected)
            #expect(ContinuousClock.now - start < .seconds(90))
            running.cancel()
            await running.value
        }
    }

    @Test func `a slow statement of a server that lives is waited for`() async throws {
        try await withConnection(migrated: false) {
            $0.connectTimeout = .milliseconds(200)
        } _: { connection in
            let rows = try await connection.query(Statement("SELECT pg_sleep(1.5)"))
            #expect(rows.count == 1)
        }
    }

    @Test func `a frozen primary is left for the standby that took over`() async throws {
        let primary = try PostgresServer()
        try await primary.start()
        let standby = try PostgresServer(standbyOf: primary)
        try await standby.start()
        let pool = Pool(
            ConnectionConfiguration(
                connectionString: "host=127.0.0.1,127.0.0.1 port=\(primary.port),\(standby.port) user=postgres "
                    + "dbname=postgres target_session_attrs=read-write connect_timeout=2"), size: 1,
            acquireTimeout: .seconds(60))
        let port = Statement("SELECT inet_server_port()")
        #expect(try await pool.query(port)[0].decode(Int.self, at: 0) == primary.port)
        try await primary.freeze()
        try await standby.promote()
        // The first may be lost with its link, which is for the caller to know; a link that was idle for long is asked before.
        do { _ = try await pool.query(port) } catch { #expect(error.isConnectionLost) }
        #expect(try await pool.query(port)[0].decode(Int.self, at: 0) == standby.port)
        await pool.shutdown()
        try await primary.stop(.immediate)
        try await standby.stop(.immediate)
    }
}
