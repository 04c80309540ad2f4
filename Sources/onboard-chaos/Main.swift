import ArgumentParser
import Foundation

/// `onboard-chaos`: breaks everything on purpose and compares the books afterwards (see `ops/chaos`).
@main struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "onboard-chaos",
        abstract: "Runs real workers against a real PostgreSQL and the simulator while everything breaks.",
        discussion: """
            At the end it compares three books: the jobs, their journal and the simulator's ledger of effects. Exit code 1 if
            an invariant is broken, with the jobs that broke it and their history.
            Faults: \(Fault.allCases.map(\.rawValue).joined(separator: ", "))
            """)

    @Option(help: "Where the random choices start; the same seed makes the same choices.") var seed: UInt64 = 1
    @Option(help: "How long faults are made, in seconds.") var duration = 60
    @Option(help: "Jobs that callers commit each second.") var rate = 40
    @Option(help: "Worker processes.") var workers = 3
    @Option(help: "Seconds between two faults, on average.") var pause = 1.0
    @Option(help: "Comma-separated faults to choose from; all when not given.") var faults: String?
    @Flag(help: "Let providers refuse what they have already; else they make another record of it.")
    var refuseDuplicates = false
    @Flag(
        help:
            "Measure how soon the rate is back after restarts, ended backends, used-up connections and failovers instead."
    )
    var recovery = false
    @Option(help: "With --recovery: how often each.") var repeats = 10
    @Option(help: "The folder with install.sql and books.sql.") var sql: String

    func validate() throws {
        guard duration > 0, rate > 0, (1...50).contains(workers), pause > 0 else {
            throw ValidationError("--duration, --rate, --workers and --pause must be positive, at most 50 workers")
        }
        _ = try chosenFaults()
    }

    func run() async throws {
        if recovery {
            let measurement = Recovery(repeats: repeats, workers: workers, sqlFolder: URL(fileURLWithPath: sql))
            guard try await measurement.run() else { throw ExitCode(1) }
            return
        }
        let campaign = Campaign(
            seed: seed, duration: .seconds(duration), rate: rate, workers: workers, pause: pause,
            faults: try chosenFaults(), acceptsDuplicates: !refuseDuplicates, sqlFolder: URL(fileURLWithPath: sql))
        guard try await campaign.run() else { throw ExitCode(1) }
    }

    private func chosenFaults() throws -> [Fault] {
        guard let faults else { return Fault.allCases }
        return try faults.split(separator: ",").map { word in
            guard let fault = Fault(rawValue: String(word)) else {
                throw ValidationError("--faults: \(word) is none of them")
            }
            return fault
        }
    }
}
