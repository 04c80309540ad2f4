import ArgumentParser
import Foundation
import Postgres

/// `onboard-bench enqueue`: a caller that commits one job at a time and notes when it knew of the commit.
struct Enqueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Commits jobs one by one; writes a line `key microseconds` for each, taken when COMMIT had returned.")

    @Option(help: "How many jobs.") var count = 100
    @Option(help: "From one commit to the next, in milliseconds.") var intervalMs = 20
    @Option(help: "Where the lines go.") var file: String

    func validate() throws {
        guard count > 0, (0...60_000).contains(intervalMs) else {
            throw ValidationError("--count must be positive and --interval-ms from 0 to 60000")
        }
    }

    func run() async throws {
        let connection = try await Connection.open(
            ConnectionConfiguration(
                connectionString: ProcessInfo.processInfo.environment[BenchJob.databaseVariable] ?? "",
                applicationName: "onboard-bench enqueue"))
        var lines = ""
        var next = ContinuousClock.now
        for number in 0..<count {
            let key = UUID().uuidString.lowercased()
            _ = try await connection.query(
                Statement(
                    "INSERT INTO onboarding.jobs (kind, payload, idempotency_key) VALUES ($1, $2, $3)", name: "enqueue",
                    parameters: [
                        .text(BenchJob.kind), .json(Array(BenchJob.payload(number).utf8)), .uuid(key),
                    ]))
            lines += "\(key) \(Measure.realtimeMicroseconds())\n"
            // A little off the beat, so that no timer of the worker is met at the same phase each time.
            next += .milliseconds(intervalMs) + .microseconds(Int.random(in: 0...1000 * max(1, intervalMs / 10)))
            try await Task.sleep(until: next)
        }
        await connection.close()
        try lines.write(toFile: file, atomically: true, encoding: .utf8)
    }
}
