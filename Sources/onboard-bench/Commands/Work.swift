import ArgumentParser
import Foundation
import JobModel
import Logging
import Postgres
import ServiceLifecycle
import UnixSignals
import Worker

/// `onboard-bench work`: the daemon as `onboard work` runs it, with a provider inside the process.
struct Work: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the real daemon; calls are answered in process.",
        discussion: "Reads ONBOARD_DATABASE_URL, ONBOARD_CONCURRENCY and ONBOARD_PROVIDERS (default juicyway).")

    @Option(help: "How long each call takes, in milliseconds.") var delayMs = 0
    @Flag(help: "End when nothing is due, running or blocked on what is.") var untilIdle = false

    func validate() throws {
        guard (0...60_000).contains(delayMs) else { throw ValidationError("--delay-ms must be from 0 to 60000") }
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let providers = (environment["ONBOARD_PROVIDERS"] ?? "juicyway").split(separator: ",")
        var configuration = WorkerConfiguration(providers: providers.map { ProviderName(String($0)) })
        if let text = environment["ONBOARD_CONCURRENCY"] {
            guard let number = Int(text), (1...10_000).contains(number) else {
                throw ValidationError("ONBOARD_CONCURRENCY must be a number from 1 to 10000")
            }
            configuration.concurrency = number
        }
        configuration.endsWhenIdle = untilIdle
        let daemon = Daemon(
            configuration: configuration,
            database: ConnectionConfiguration(
                connectionString: environment[BenchJob.databaseVariable] ?? "", applicationName: "onboard-bench work"),
            caller: InProcessCaller(delay: .milliseconds(delayMs)),
            logger: Logger(label: "onboard-bench") { StreamLogHandler.standardError(label: $0) }
        ) {
            WorkerID("bench/\(ProcessInfo.processInfo.processIdentifier)/\(UUID().uuidString.prefix(8))")
        }
        let group = ServiceGroupConfiguration(
            services: [.init(service: daemon, successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "onboard-bench"))
        try await ServiceGroup(configuration: group).run()
    }
}
