import Foundation
import Kinds
import NIOConcurrencyHelpers
import Postgres
import TestKit

/// The real parts of a campaign: a PostgreSQL with its standby, a link to it that can break, the simulator, and worker
/// processes.
final class Stage: Sendable {
    /// Whether a commit waits for the standby.
    enum Replication: String {
        case synchronous, asynchronous
    }

    /// How workers find the primary.
    enum Way {
        /// Over the link, which follows a failover as a virtual address does.
        case link
        /// By naming both servers, as libpq lets them.
        case hosts
    }

    /// What the workers go through.
    let link: TCPProxy
    /// What the workers without TLS call the providers through.
    let calls: TCPProxy
    let simulator: SimulatorProcess
    let desk: Desk
    /// Accepts connections and says nothing.
    private let silent: TCPProxy
    /// Where the callers insert: over a pooler in transaction mode, if one is installed.
    let callersURL: String
    /// The logs of servers that are no more.
    private let formerLogs = NIOLockedValueBox<[String]>([])
    private let pair: NIOLockedValueBox<Pair>
    /// Past what breaks: for the campaign itself and the callers.
    private let direct: TCPProxy
    private let pooler: Pooler?
    /// What every other worker calls the simulator through, if one is installed.
    let front: Front?
    private let way: Way

    private struct Pair: Sendable {
        var primary: PostgresServer
        var standby: PostgresServer?
    }

    /// A connection limit that workers, callers and the campaign fit into with a little to spare.
    static let maxConnections = 60

    private static let settings = [
        "max_connections = \(maxConnections)", "shared_buffers = 256MB", "log_min_messages = warning",
        "max_wal_size = 4GB",
    ]

    /// The primary of now.
    var server: PostgresServer { pair.withLockedValue { $0.primary } }
    /// What follows it.
    var standby: PostgresServer? { pair.withLockedValue { $0.standby } }

    /// Starts everything but the workers.
    ///
    /// - Parameters:
    ///   - replication: how the standby follows; without one there is none.
    ///   - acceptsDuplicates: whether providers make a second record of what exists, which no guard of theirs then
    ///     hides.
    static func set(
        up sqlFolder: URL, replication: Replication? = nil, way: Way = .link, acceptsDuplicates: Bool = true
    ) async throws -> Stage {
        let server = try PostgresServer(settings: settings, hasMovableClock: fakeTimeLibrary != nil)
        try await server.start()
        let direct = try await TCPProxy.start(to: server.port)
        let url = Self.url(direct.port)
        let migrated = try await Program.run("onboard", ["migrate"], environment: ["ONBOARD_DATABASE_URL": url])
        guard migrated.exitCode == 0 else { throw NotInTime(description: "the migration failed: \(migrated.errors)") }
        let desk = Desk(url)
        try await desk.run(try String(contentsOf: sqlFolder.appendingPathComponent("install.sql"), encoding: .utf8))
        try await desk.run(Registry.shipped.campaignKinds)
        var standby: PostgresServer?
        if let replication {
            if replication == .synchronous {
                // A statement each, since this one may not run in a transaction. Before the copy, so that a standby
                // that is promoted has the setting too, and commits nothing that only it has.
                try await desk.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
                try await desk.run("SELECT pg_reload_conf()")
            }
            let follower = try PostgresServer(
                settings: settings, standbyOf: server, hasMovableClock: fakeTimeLibrary != nil)
            try await follower.start()
            standby = follower
        }
        return try await Stage(Pair(primary: server, standby: standby), direct, desk, way, acceptsDuplicates)
    }

    private init(
        _ pair: Pair, _ direct: TCPProxy, _ desk: Desk, _ way: Way, _ acceptsDuplicates: Bool
    ) async throws {
        self.pair = NIOLockedValueBox(pair)
        self.direct = direct
        self.desk = desk
        self.way = way
        link = try await TCPProxy.start(to: pair.primary.port)
        silent = try await TCPProxy.start(to: pair.primary.port)
        silent.set(.stalled)
        pooler = try await Pooler.start(to: direct.port)
        callersURL = Self.url(pooler?.port ?? direct.port)
        simulator = try await SimulatorProcess.start(
            ["--delay", "10"] + (acceptsDuplicates ? ["--accept-duplicates"] : []))
        calls = try await TCPProxy.start(to: URL(string: simulator.base)?.port ?? 0)
        front = try await Front.start(to: simulator.base)
    }

    private static func url(_ port: Int) -> String {
        "host=127.0.0.1 port=\(port) user=postgres dbname=postgres sslmode=disable"
    }

    /// The primary is lost, its standby takes its place and gets a standby of its own.
    ///
    /// - Parameter isFrozen: whether the lost one stands still rather than ends, so that links to it are up and silent. It is
    ///   ended, as whoever promotes has to see to, when the workers have left it.
    func failOver(isFrozen: Bool = false) async throws {
        guard let promoted = standby else { return }
        let lost = server
        if isFrozen { try await lost.freeze() } else { try await lost.stop(.immediate) }
        try await promoted.promote()
        for proxy in [direct, link] { proxy.lead(to: promoted.port) }
        // The campaign's own links; the workers' stay.
        direct.set(.cut)
        direct.set(.open)
        formerLogs.withLockedValue { $0.append(Self.log(of: lost)) }
        let follower = try PostgresServer(
            settings: Self.settings, standbyOf: promoted, hasMovableClock: Self.fakeTimeLibrary != nil)
        pair.withLockedValue { $0 = Pair(primary: promoted, standby: follower) }
        try await follower.start()
        // Until then no commit is acknowledged; another failover would lose none, but would wait for a copy.
        let streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'"
        try await eventually("a streaming standby") { try await desk.count(streaming) == 1 }
        guard isFrozen else { return }
        let names =
            "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE application_name LIKE 'worker-%'"
        let lease = "SELECT count(*) FROM onboarding.worker_leases WHERE lease_expires_at > clock_timestamp()"
        try await eventually(within: 60, "workers with a lease at the new primary") {
            let workers = try await desk.count(names)
            let leases = try await desk.count(lease)
            return workers > 0 && leases >= workers
        }
        try await lost.stop(.immediate)
    }

    /// Lets the database's clock, and its standby's, show another time from now on; needs libfaketime.
    func moveClock(by offset: Duration) throws {
        guard Self.fakeTimeLibrary != nil else { return }
        for server in [server, standby].compactMap({ $0 }) { try server.moveClock(by: offset) }
    }

    /// Requests of workers without TLS that the kernels have not taken whole.
    var unsentRequests: Int {
        let port = String(format: ":%04X", calls.port)
        // By a handle: `String(contentsOfFile:)` ends after the first page of a file without a size. Unreadable reads as none.
        let data = try? FileHandle(forReadingAtPath: "/proc/net/tcp")?.readToEnd()
        let table = String(decoding: (data ?? nil) ?? Data(), as: UTF8.self)
        return table.split(separator: "\n").filter { line in
            let fields = line.split(separator: " ")
            return fields.count > 4 && fields[2].hasSuffix(port) && !fields[4].hasPrefix("00000000:")
        }.count
    }

    /// Brings what the providers have done since the last time into the database.
    func copyLedger() async throws {
        let known = try await desk.count("SELECT count(*) FROM chaos.ledger")
        // Written while it is read, the last line may not be whole.
        let lines = try simulator.ledger().dropFirst(known).filter { $0.hasSuffix("}") }
        for part in stride(from: 0, to: lines.count, by: 5000) {
            let array = "[" + lines[part..<min(part + 5000, lines.count)].joined(separator: ",") + "]"
            try await desk.run(
                """
                INSERT INTO chaos.ledger SELECT (e ->> 'seq')::bigint, e ->> 'provider', e ->> 'operation', e ->> 'provider_id',
                    (e ->> 'idempotency_key')::uuid, decode(e ->> 'body_sha256', 'hex'), (e ->> 'at')::timestamptz
                FROM jsonb_array_elements('\(array.replacing("'", with: "''"))') e
                ON CONFLICT DO NOTHING
                """)
        }
    }

    /// One of the numbers that the simulator counts.
    func simulatorCount(_ name: String) async throws -> Int {
        // By a program that shares nothing with what is tested.
        let answer = try await Program(
            at: URL(fileURLWithPath: "/usr/bin/env"),
            ["curl", "-sf", "--max-time", "10", "\(simulator.base)/_simulator/summary"]
        ).start().ended().output
        let summary = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any]
        guard let count = summary?[name] as? Int else {
            throw NotInTime(description: "the simulator's count of \(name)")
        }
        return count
    }

    /// What every server has logged.
    var serverLogs: [String] { formerLogs.withLockedValue { $0 } + [server, standby].compactMap { $0 }.map(Self.log) }

    /// Unreadable reads as empty.
    private static func log(of server: PostgresServer) -> String {
        (try? String(contentsOfFile: "\(server.folder)/log", encoding: .utf8)) ?? ""
    }

    /// Where libfaketime is, if it is installed.
    static let fakeTimeLibrary = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketime.so.1" }
        .first { FileManager.default.fileExists(atPath: $0) }

    /// Starts a worker whose sessions bear its name.
    ///
    /// - Parameters:
    ///   - overFront: whether it calls the providers over TLS, where that is to be had.
    ///   - surroundings: what is odd about the place where it runs.
    func startWorker(_ name: String, overFront: Bool = false, in surroundings: Surroundings = .usual) throws -> Program
    {
        let hosts =
            switch (way, surroundings) {
            case (.link, .silentHost):
                "host=127.0.0.1,127.0.0.1 port=\(silent.port),\(link.port) connect_timeout=2"
            case (.link, _): "host=127.0.0.1 port=\(link.port)"
            case (.hosts, _):
                "host=127.0.0.1,127.0.0.1 port=\(server.port),\(standby?.port ?? 0) target_session_attrs=read-write"
            }
        let direct = simulator.environment
        let providers = overFront ? front?.environment(from: direct, leadingTo: simulator.base) : nil
        let overCalls = direct.mapValues { $0.replacing(simulator.base, with: "http://127.0.0.1:\(calls.port)") }
        var environment = (providers ?? overCalls).merging([
            "ONBOARD_DATABASE_URL": "\(hosts) user=postgres dbname=postgres sslmode=disable application_name=\(name)",
            "ONBOARD_HTTP_BIND": "off", "ONBOARD_HTTP_TIMEOUT": "2s", "ONBOARD_POLL_INTERVAL": "500ms",
            "ONBOARD_DRAIN_TIMEOUT": "5s", "ONBOARD_CONCURRENCY": "32", "ONBOARD_LOG_LEVEL": "info",
            // What a fault kills is dead at once; the runtime's backtracer hangs in what a memory limit leaves it.
            "SWIFT_BACKTRACE": "enable=no",
        ]) { $1 }
        environment.merge(surroundings.environment) { $1 }
        return try surroundings.worker(environment).start()
    }

    /// Takes everything down.
    func takeDown() async throws {
        try await front?.stop()
        simulator.stop()
        pooler?.stop()
        await desk.close()
        for proxy in [direct, link, silent, calls] { try await proxy.stop() }
        try await server.stop(.immediate)
        try await standby?.stop(.immediate)
    }
}
