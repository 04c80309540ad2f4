import ArgumentParser
import Contracts
import Foundation
import JobModel
import JobQueue
import Postgres

/// `onboard jobs`: looks at jobs and acts on them.
struct Jobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists, shows, cancels, retries and resolves jobs.",
        subcommands: [List.self, Show.self, Cancel.self, Retry.self, Resolve.self])

    /// `onboard jobs list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists jobs, newest first.")
        @OptionGroup var database: DatabaseOptions
        @Option(help: "Only jobs in this state.") var state: String?
        @Option(help: "Only jobs of this kind.") var kind: String?
        @Option(help: "Only jobs with this reference.") var reference: String?
        @Option(help: "At most so many.") var limit = 50

        func validate() throws {
            if let state, JobState(rawValue: state) == nil {
                throw ValidationError(
                    "--state must be one of \(JobState.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            if let kind { _ = try PrintContract.contract(of: kind) }
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be between 1 and 10000") }
        }

        func run() async throws {
            try Terminal.show(
                try await database.withDesk { desk throws(PostgresError) in
                    try await desk.jobs(state: state, kind: kind, reference: reference, limit: limit)
                })
        }
    }

    /// `onboard jobs show`: the whole story of one job.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows a job's whole story, without its payload.")
        @OptionGroup var database: DatabaseOptions
        @Argument(help: "The job's number.") var id: Int64

        func run() async throws {
            let job = JobID(id)
            let story = try await database.withDesk { desk throws(PostgresError) in
                (
                    job: try await desk.job(job), attempts: try await desk.attempts(of: job),
                    transitions: try await desk.transitions(of: job)
                )
            }
            guard !story.job.rows.isEmpty else { throw Failure(.answerIsNo, "\(id) is not a job") }
            try Terminal.show(
                Terminal.lines(of: story.job.rows.map { (name: $0[0], value: $0[1]) })
                    + ["", "Transitions"] + Terminal.lines(of: story.transitions))
            if !story.attempts.rows.isEmpty {
                try Terminal.show(["", "Attempts"] + Terminal.lines(of: story.attempts))
            }
            let why = try await database.withDesk { desk throws(PostgresError) in try await desk.why(job) }
            if !why.rows.isEmpty { try Terminal.show(["", "Why it is not running"] + Terminal.lines(of: why)) }
        }
    }

    /// `onboard jobs cancel`.
    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Cancels a job; what may exist is found out first.")
        @OptionGroup var database: DatabaseOptions
        @Argument(help: "The job's number.") var id: Int64
        @Option(help: "Why.") var reason: String?

        func run() async throws {
            let state = try await database.withDesk { desk throws(PostgresError) in
                try await desk.cancel(JobID(id), reason: reason)
            }
            try Terminal.show(
                state == "cancelled"
                    ? "Job \(id) is cancelled."
                    : "Job \(id) is \(state); it ends cancelled unless the record turns out to exist.")
        }
    }

    /// `onboard jobs retry`.
    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes a failed or cancelled job available again.")
        @OptionGroup var database: DatabaseOptions
        @Argument(help: "The job's number.") var id: Int64
        @Option(help: "Why.") var reason: String?
        @Option(help: "A file with a corrected payload.") var payload: String?
        @Flag(help: "Let the jobs that were cancelled with it wait for it again.") var withDependents = false

        func run() async throws {
            let corrected = try payload.map(Self.read)
            let dependents = try await database.withDesk { desk throws(PostgresError) in
                try await desk.retry(
                    JobID(id), reason: reason, payload: corrected, withDependents: withDependents)
            }
            var lines = ["Job \(id) is available."]
            if dependents > 0 {
                let jobs = dependents == 1 ? "1 job that was" : "\(dependents) jobs that were"
                lines.append(
                    withDependents
                        ? "With \(jobs) cancelled when it ended."
                        : "Without \(jobs) cancelled when it ended; --with-dependents takes them along.")
            }
            try Terminal.show(lines)
        }

        /// The text of a payload file that is JSON.
        private static func read(_ path: String) throws -> String {
            let data = try InputFile.read(path)
            do {
                _ = try JSONView(parsing: Array(data))
            } catch {
                throw Failure(.answerIsNo, "the payload is \(error)")
            }
            let text = String(decoding: data, as: UTF8.self)
            // The server would refuse these, and write the payload around them to its log.
            guard !text.contains("\\u0000"), text.firstMatch(of: /[0-9][eE][+-]?[0-9]{4,}/) == nil else {
                throw Failure(
                    .answerIsNo, "the payload holds \\u0000 or a number beyond 1e999, which PostgreSQL cannot store")
            }
            return text
        }
    }

    /// `onboard jobs resolve`.
    struct Resolve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends the doubt about an uncertain job, or about many.",
            discussion: "With --from, each line of the file is a verdict: JOB happened ID, or JOB did_not_happen.")
        @OptionGroup var database: DatabaseOptions
        @Argument(help: "The job's number.") var id: Int64?
        @Argument(help: "happened or did_not_happen.") var verdict: String?
        @Option(help: "The provider's id, with happened.") var providerID: String?
        @Option(help: "A file with a verdict a line, in place of one job's; - is standard input.") var from: String?
        @Option(help: "Who looked where.") var note: String

        func validate() throws {
            guard (id != nil && verdict != nil) != (from != nil) else {
                throw ValidationError("give a job's number and a verdict, or a file of verdicts with --from")
            }
        }

        func run() async throws {
            let table: OperatorDesk.Table
            if let id, let verdict {
                let state = try await database.withDesk { desk throws(PostgresError) in
                    try await desk.resolve(JobID(id), verdict: verdict, providerID: providerID, note: note)
                }
                return try Terminal.show("Job \(id) is \(state).")
            }
            let verdicts = try Verdicts(from ?? "-").json
            table = try await database.withDesk { desk throws(PostgresError) in
                try await desk.resolve(verdicts: verdicts, note: note)
            }
            try Terminal.show(table)
            let refused = table.rows.count { !$0[2].isEmpty }
            guard refused == 0 else {
                throw Failure(.answerIsNo, "\(refused) of \(table.rows.count) verdicts were refused")
            }
        }
    }
}

/// Verdicts read from a file, one a line.
private struct Verdicts {
    let json: String

    init(_ path: String) throws {
        let data = try InputFile.read(path == "-" ? nil : path)
        var verdicts: [[String: String]] = []
        for (number, line) in String(decoding: data, as: UTF8.self).split(separator: "\n").enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard (2...3).contains(words.count), Int64(words[0]) != nil else {
                throw Failure(
                    .answerIsNo, "line \(number + 1) of \(path) is no verdict: JOB happened ID, or JOB did_not_happen")
            }
            verdicts.append(["job_id": words[0], "verdict": words[1]])
            if words.count == 3 { verdicts[verdicts.count - 1]["provider_id"] = words[2] }
        }
        json = String(decoding: try JSONEncoder().encode(verdicts), as: UTF8.self)
    }
}
