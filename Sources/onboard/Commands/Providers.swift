import ArgumentParser
import JobQueue
import Postgres

/// `onboard providers`: limits and pauses, for all workers at once.
struct Providers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists, pauses, resumes and limits providers.",
        subcommands: [List.self, Pause.self, Resume.self, Limit.self])

    /// `onboard providers list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists providers with limits, pauses and circuits.")
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try Terminal.show(try await database.withDesk { desk throws(PostgresError) in try await desk.providers() })
        }
    }

    /// `onboard providers pause`.
    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Stops claiming a provider's jobs.")
        @OptionGroup var database: DatabaseOptions
        @Argument(help: "The provider.") var provider: String
        @Option(help: "Why.") var reason: String?
        @Option(name: .customLong("for"), help: "How long, such as 30m; until resumed if not given.") var duration:
            String?

        func run() async throws {
            let wait = duration.flatMap(Quantity.duration)
            if duration != nil, wait.map({ $0 <= .zero || $0 > .seconds(366 * 86_400) }) ?? true {
                throw ValidationError("--for must be a duration such as 30s, 5m or 24h, at most a year")
            }
            try await database.withDesk { desk throws(PostgresError) in
                try await desk.pause(provider, reason: reason, duration: wait)
            }
            try Terminal.show("\(provider) is paused.")
        }
    }

    /// `onboard providers resume`.
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets a provider's jobs be claimed again.")
        @OptionGroup var database: DatabaseOptions
        @Argument(help: "The provider.") var provider: String

        func run() async throws {
            try await database.withDesk { desk throws(PostgresError) in try await desk.resume(provider) }
            try Terminal.show("\(provider) is resumed.")
        }
    }

    /// `onboard providers limit`.
    struct Limit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes a provider's limits for all workers together; those that are not given stay.")
        @OptionGroup var database: DatabaseOptions
        @Argument(help: "The provider.") var provider: String
        @Option(help: "Calls in flight.") var maxInFlight: Int?
        @Option(help: "Calls a second.") var ratePerSecond: Double?
        @Option(help: "Calls at once after a rest.") var burst: Int?
        @Option(help: "A limit to take away: max_in_flight, rate_per_second or burst; may be repeated.")
        var unlimited: [String] = []

        func validate() throws {
            if maxInFlight == nil, ratePerSecond == nil, burst == nil, unlimited.isEmpty {
                throw ValidationError("name a limit: --max-in-flight, --rate-per-second, --burst or --unlimited")
            }
            if !Set(unlimited).isSubset(of: ["max_in_flight", "rate_per_second", "burst"]) {
                throw ValidationError("--unlimited must be max_in_flight, rate_per_second or burst")
            }
            if let maxInFlight, maxInFlight < 0 { throw ValidationError("--max-in-flight must not be negative") }
            if let ratePerSecond, !(ratePerSecond > 0 && ratePerSecond <= 1_000_000) {
                throw ValidationError("--rate-per-second must be above 0 and at most 1000000")
            }
            if let burst, !(1...1_000_000).contains(burst) {
                throw ValidationError("--burst must be between 1 and 1000000")
            }
        }

        func run() async throws {
            try await database.withDesk { desk throws(PostgresError) in
                try await desk.limit(
                    provider, maxInFlight: maxInFlight, ratePerSecond: ratePerSecond, burst: burst, unlimited: unlimited
                )
            }
            try Terminal.show("\(provider) is limited.")
        }
    }
}
