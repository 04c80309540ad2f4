import Foundation
import Postgres
import TestKit

/// The real parts of a campaign: a PostgreSQL, a link to it that can break, the simulator, and worker processes.
final class Stage: Sendable {
    let server: PostgresServer
    let standby: PostgresServer?
    let link: TCPProxy
    let simulator: SimulatorProcess
    let desk: Desk

    /// A connection limit that workers, callers and the campaign fit into with a little to spare.
    static let maxConnections = 60

    /// Whether a commit waits for the standby.
    enum Replication: String {
        case synchronous, asynchronous
    }

    /// Starts everything but the workers.
    ///
    /// - Parameter replication: how a standby follows; without one, workers go through the link.
    static func set(up sqlFolder: URL, replication: Replication? = nil) async throws -> Stage {
        let settings = [
            "max_connections = \(maxConnections)", "shared_buffers = 256MB", "log_min_messages = warning",
            "max_wal_size = 4GB",
        ]
        let server = try PostgresServer(settings: settings)
        try await server.start()
        let url = try server.connectionString.keywordForm
        let migrated = try await Program.run("onboard", ["migrate"], environment: ["ONBOARD_DATABASE_URL": url])
        guard migrated.exitCode == 0 else { throw NotInTime(description: "the migration failed: \(migrated.errors)") }
        let desk = Desk(url)
        try await desk.run(try String(contentsOf: sqlFolder.appendingPathComponent("install.sql"), encoding: .utf8))
        guard let replication else { return try await Stage(server: server, standby: nil, desk: desk) }
        let standby = try PostgresServer(settings: settings, standbyOf: server)
        try await standby.start()
        if replication == .synchronous {
            // A statement each, since this one may not run in a transaction.
            try await desk.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            try await desk.run("SELECT pg_reload_conf()")
        }
        return try await Stage(server: server, standby: standby, desk: desk)
    }

    private init(server: PostgresServer, standby: PostgresServer?, desk: Desk) async throws {
        self.server = server
        self.standby = standby
        self.desk = desk
        link = try await TCPProxy.start(to: server.port)
        simulator = try await SimulatorProcess.start(["--delay", "10"])
    }

    /// Where libfaketime is, if it is installed.
    static let fakeTimeLibrary = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketime.so.1" }
        .first { FileManager.default.fileExists(atPath: $0) }

    /// Starts a worker whose sessions bear its name.
    ///
    /// - Parameter clockOffset: such as `+1h`, by which its clock is wrong.
    func startWorker(_ name: String, clockOffset: String? = nil) throws -> Program {
        let hosts =
            standby.map {
                "host=127.0.0.1,127.0.0.1 port=\(server.port),\($0.port) target_session_attrs=read-write"
            } ?? "host=127.0.0.1 port=\(link.port)"
        var environment = simulator.environment.merging([
            "ONBOARD_DATABASE_URL": "\(hosts) user=postgres dbname=postgres sslmode=disable application_name=\(name)",
            "ONBOARD_HTTP_BIND": "off", "ONBOARD_HTTP_TIMEOUT": "2s", "ONBOARD_POLL_INTERVAL": "500ms",
            "ONBOARD_DRAIN_TIMEOUT": "5s", "ONBOARD_CONCURRENCY": "32", "ONBOARD_LOG_LEVEL": "info",
        ]) { $1 }
        if let clockOffset, let library = Self.fakeTimeLibrary {
            environment["LD_PRELOAD"] = library
            environment["FAKETIME"] = clockOffset
            environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        }
        return try Program("onboard", ["work"], environment: environment).start()
    }

    /// Takes everything down.
    func takeDown() async throws {
        simulator.stop()
        await desk.close()
        try await link.stop()
        try await server.stop(.immediate)
        try await standby?.stop(.immediate)
    }
}
