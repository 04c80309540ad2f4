import ArgumentParser
import CMalloc
import Foundation
import JobModel
import JobQueue
import Logging
import Postgres
import Providers
import ServiceLifecycle
import UnixSignals
import Worker

/// `onboard work`: the daemon.
struct Work: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Claims jobs and calls providers until stopped.",
        discussion:
            "SIGTERM, SIGINT and SIGQUIT finish what is in flight within the drain time; a second one ends at once. Other signals end nothing."
    )

    @OptionGroup var database: DatabaseOptions

    @Flag(help: "End when nothing is due, running or blocked on what is.")
    var untilIdle = false

    func run() async throws {
        // By default each thread has a heap of its own, and keeps there what it has freed: at 1,000 slots 15 of 95 MB.
        // Two do as well, with no measurable loss of speed.
        _ = mallopt(M_ARENA_MAX, 2)
        // By default the first large block that is freed makes later ones stay in the heap; as mappings they go back to the
        // system at once.
        _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
        Self.ignoreOtherSignals()
        let settings = try Settings(file: database.config)
        let endpoints = try Endpoint.all(settings)
        var configuration = try WorkerConfiguration(settings, endpoints: endpoints)
        configuration.endsWhenIdle = untilIdle
        let http = try HTTPProviderCaller.Configuration(settings, connections: configuration.concurrency)
        configuration.longestCall = http.timeout
        let logger = try Self.logger(settings)
        let connection = try ConnectionConfiguration(settings, applicationName: "onboard work") {
            logger.notice("the database's address or password has changed and is used from now on")
        }
        for repair in try await checkSchema() {
            logger.notice("repaired after a restore", metadata: ["repair": .string(repair)])
        }

        let source = EndpointSource(endpoints) { provider in
            logger.notice(
                "a provider's address or key has changed and is used from now on", metadata: ["provider": "\(provider)"]
            )
        } read: {
            // A file that is just being replaced is read again a second later.
            try? Endpoint.all(settings)
        }
        let caller = HTTPProviderCaller(endpoints: source, configuration: http)
        let host = configuration.host
        let daemon = Daemon(configuration: configuration, database: connection, caller: caller, logger: logger) {
            WorkerID("\(host)/\(ProcessInfo.processInfo.processIdentifier)/\(UUID().uuidString.lowercased().prefix(8))")
        }
        do {
            try await Self.serve(daemon, configuration, logger)
        } catch let error as PostgresError {
            await caller.shutdown()
            throw Failure(error)
        } catch is Daemon.SchemaIsTooNew {
            await caller.shutdown()
            throw SchemaMigrator.Standing.newer(isBreaking: true).refusal
                ?? Failure(.bug, "a newer schema has no refusal")
        } catch let end as DatabaseGivenUp {
            await caller.shutdown()
            throw Failure(end)
        }
        await caller.shutdown()
    }

    /// Signals that a terminal, a log rotation or a service manager may send and that would end or stop the process, with calls
    /// in flight. SIGHUP follows SIGTERM at once where systemd has SendSIGHUP, so that it is no second signal either.
    private static func ignoreOtherSignals() {
        let others = [
            SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGTSTP, SIGTTIN,
            SIGTTOU,
        ]
        // Real-time signals are numbered up to 64, of which the C library uses the first two or three.
        for signal in others + (35...64) { Foundation.signal(signal, SIG_IGN) }
    }

    /// Runs the daemon until it ends or a signal comes; the second signal ends the process.
    private static func serve(_ daemon: Daemon, _ configuration: WorkerConfiguration, _ logger: Logger) async throws {
        // The only listener: of two, a signal that comes between their beginnings would reach one.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigquit)
        var setting = ServiceGroupConfiguration(
            services: [.init(service: daemon, successTerminationBehavior: .gracefullyShutdownGroup)], logger: logger)
        // Beyond the drain time, results are still written and the worker is signed off.
        setting.maximumGracefulShutdownDuration = configuration.drainTimeout + .seconds(15)
        let group = ServiceGroup(configuration: setting)
        // Unstructured: it ends with the process.
        let watch = Task(name: "signals") {
            var isEnding = false
            for await signal in signals {
                // As if the signal had ended it, which in effect it did.
                if isEnding {
                    LogWriter.shared.flush()
                    Foundation.exit(128 + signal.rawValue)
                }
                isEnding = true
                await group.triggerGracefulShutdown()
            }
        }
        defer { watch.cancel() }
        try await group.run()
    }

    /// Refuses a schema that this program cannot work with, and repairs what a restore has left behind.
    private func checkSchema() async throws(Failure) -> [String] {
        let standing = try await database.withConnection { connection throws(PostgresError) in
            try await SchemaMigrator(connection).standing()
        }
        if let refusal = standing.refusal { throw refusal }
        if let work = standing.work, !standing.letsWork { throw Failure(.wrongConfiguration, work) }
        return try await database.withConnection { connection throws(PostgresError) in
            try await SchemaMigrator(connection).repair()
        }
    }

    private static func logger(_ settings: Settings) throws(Failure) -> Logger {
        let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        let level = try settings.value("ONBOARD_LOG_LEVEL", default: Logger.Level.info, form: "one of \(levels)") {
            Logger.Level(rawValue: $0)
        }
        let format = try settings.value("ONBOARD_LOG_FORMAT", default: LogLine.Format.json, form: "json or text") {
            LogLine.Format(rawValue: $0)
        }
        LogWriter.shared.use(format)
        return Logger(label: "onboard") { _ in LineLogHandler(logLevel: level, format: format) }
    }
}
