import Foundation
import Postgres
import TestKit
import Testing

/// The daemon while its database goes away and comes back, in every way that a database has.
@Suite(.timeLimit(.minutes(10))) struct OutageTests {
    private func withServer(_ body: (PostgresServer, String) async throws -> Void) async throws {
        let server = try PostgresServer()
        try await server.start()
        let url = try server.connectionString.keywordForm
        let migrated = try await Program.run("onboard", ["migrate"], environment: ["ONBOARD_DATABASE_URL": url])
        #expect(migrated.exitCode == 0, "\(migrated.errors)")
        try await body(server, url)
        try await server.stop(.immediate)
    }

    /// Every job of `count` a kind ended well, and nothing was done twice.
    private func expectAllDone(_ stage: Stage, count: Int) async throws {
        #expect(try await stage.count("state = 'completed'") + stage.count("state = 'uncertain'") == 5 * count)
        #expect(try await stage.count("state = 'uncertain' AND provider <> 'connect'") == 0)
        #expect(try stage.simulator.keysWithSeveralEffects() == [])
        #expect(try stage.simulator.effects().count == 5 * count)
    }

    @Test(arguments: [PostgresServer.StopMode.fast, .immediate])
    func `restarts under load lose nothing and repeat nothing`(mode: PostgresServer.StopMode) async throws {
        try await withServer { server, url in
            try await withStage(["--delay", "20"], on: url) { stage in
                try await stage.run(Load.allKinds(300))
                let worker = try stage.work(["--until-idle"])
                for finished in [200, 700] {
                    let watch = Pool(ConnectionConfiguration(connectionString: url), size: 1)
                    try await eventually("progress to \(finished)") {
                        let done = Statement("SELECT count(*) FROM onboarding.jobs WHERE state = 'completed'")
                        // The watcher's connection breaks with the server too.
                        return ((try? await watch.query(done)[0].decode(Int.self, at: 0)) ?? 0) >= finished
                    }
                    await watch.shutdown()
                    try await server.stop(mode)
                    // Long enough for calls in flight to end without a database.
                    try await Task.sleep(for: .milliseconds(300))
                    try await server.start()
                }
                let ended = try await worker.ended()
                #expect(ended.exitCode == 0, "\(ended.errors.suffix(2000))")
                let connection = try await Connection.open(ConnectionConfiguration(connectionString: url))
                try await expectAllDone(stage.on(connection), count: 300)
                await connection.close()
            }
        }
    }

    @Test func `a link that goes silent is left and found again`() async throws {
        try await withServer { server, url in
            let proxy = try await TCPProxy.start(to: server.port)
            try await withStage(["--delay", "20"], on: url) { stage in
                try await stage.run(Load.allKinds(200))
                let worker = try stage.work(
                    ["--until-idle"],
                    [
                        "ONBOARD_DATABASE_URL":
                            "host=127.0.0.1 port=\(proxy.port) user=postgres dbname=postgres sslmode=disable"
                    ])
                for (condition, seconds) in [(TCPProxy.Condition.stalled, 7.0), (.cut, 1)] {
                    let before = try await stage.count("state = 'completed'")
                    try await eventually("progress") { try await stage.count("state = 'completed'") > before + 100 }
                    proxy.set(condition)
                    try await Task.sleep(for: .seconds(seconds))
                    proxy.set(.open)
                }
                let ended = try await worker.ended()
                #expect(ended.exitCode == 0, "\(ended.errors.suffix(2000))")
                try await expectAllDone(stage, count: 200)
            }
            try await proxy.stop()
        }
    }

    @Test func `a link that is cut tells its ends so, although a child process has its sockets`() async throws {
        try await withServer { server, _ in
            let proxy = try await TCPProxy.start(to: server.port)
            let connection = try await Connection.open(
                ConnectionConfiguration(
                    connectionString: "host=127.0.0.1 port=\(proxy.port) user=postgres dbname=postgres sslmode=disable"
                ))
            let copies = copiesOfSockets(on: proxy.port)
            #expect(copies.count >= 2, "the listener and the connection")
            proxy.set(.cut)
            let start = ContinuousClock.now
            await #expect(throws: PostgresError.self) {
                _ = try await connection.query(Statement("SELECT 1"), timeout: .seconds(60))
            }
            #expect(ContinuousClock.now - start < .seconds(30))
            for copy in copies { close(copy) }
            try await proxy.stop()
        }
    }

    /// What a child process has that was started while the sockets of this port were open: copies.
    private func copiesOfSockets(on port: Int) -> [CInt] {
        (3..<CInt(1024)).filter { descriptor in
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let known = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            }
            return known == 0 && Int(in_port_t(bigEndian: address.sin_port)) == port
        }.map { dup($0) }
    }

    @Test func `backends that are ended again and again lose nothing`() async throws {
        try await withStage(["--delay", "20"]) { stage in
            try await stage.run(Load.allKinds(200))
            let worker = try stage.work(["--until-idle"])
            // A worker that cannot reach its database at its start says so and ends.
            try await eventually("progress") { try await stage.count("state = 'completed'") > 0 }
            var ended = 0
            while worker.isRunning {
                let count = try await stage.value(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                        + "WHERE datname = current_database() AND pid <> pg_backend_pid()")
                ended += Int(count ?? "") ?? 0
                try await Task.sleep(for: .milliseconds(300))
                if ended > 30 { break }
            }
            #expect(ended > 5)
            #expect(try await worker.ended().exitCode == 0)
            try await expectAllDone(stage, count: 200)
        }
    }
}
