import JobQueue
import Logging

/// Looks after history and retention. Every worker tries; the database lets one at a time, and none too often.
struct Maintainer: Sendable {
    let queue: Queue
    let logger: Logger
    /// How often it tries; a fleet then does it about as often as the database lets it.
    var interval: Duration = .seconds(30)
    /// The first time comes sooner: nobody may have counted for long.
    var firstInterval: Duration = .seconds(3)
    /// How many finished jobs one turn deletes: a fraction of a second's work.
    var jobs = 2000

    /// Works until cancelled.
    func run() async {
        var next = firstInterval
        var told: Set<String> = []
        while !Task.isCancelled {
            // Spread, so that the workers of a fleet do not all try at once. Cancelled: the loop ends.
            try? await Task.sleep(for: next * Double.random(in: 0.5...1.5))
            if Task.isCancelled { return }
            await turn(telling: &told)
            next = interval
        }
    }

    private func turn(telling told: inout Set<String>) async {
        do {
            guard let done = try await queue.maintain(jobs: jobs) else { return }
            tell(try await queue.upkeepFailures(), in: &told)
            try await queue.countBacklog()
            guard done.partitionsMade + done.partitionsDropped + done.jobsDeleted > 0 else { return }
            logger.notice(
                "looked after history",
                metadata: [
                    "partitions_made": .stringConvertible(done.partitionsMade),
                    "partitions_dropped": .stringConvertible(done.partitionsDropped),
                    "jobs_deleted": .stringConvertible(done.jobsDeleted),
                ])
        } catch {
            logger.warning("could not look after history", metadata: ["error": "\(error)"])
        }
    }

    /// Says once which step fails, and once that it works again.
    private func tell(_ failures: [UpkeepFailure], in told: inout Set<String>) {
        for failure in failures where told.insert(failure.step).inserted {
            logger.warning(
                "a step of maintenance fails; the others go on",
                metadata: ["step": "\(failure.step)", "since": "\(failure.since)", "sqlstate": "\(failure.code)"])
        }
        for step in told.subtracting(failures.map(\.step)).sorted() {
            told.remove(step)
            logger.notice("a step of maintenance works again", metadata: ["step": "\(step)"])
        }
    }
}
