import JobModel
import JobQueue
import Logging
import NIOConcurrencyHelpers

/// Tells callers that listen what became of their jobs, many at a time, once the results are written.
///
/// Apart from the write, whose commit would otherwise hold the notifications' lock until it is on disk.
final class Announcer: Sendable {
    private struct State {
        var ends: [(job: JobID, state: JobState)] = []
        var isFinishing = false
    }

    /// More than wait are dropped: who listens looks by itself now and then.
    private static let limit = 10_000
    private static let batchLimit = 1000
    /// How long results gather after some were told: a millisecond for each of them. Each telling wakes every session that
    /// listens in the database, callers and workers alike, which under load would be the most frequent thing in it.
    private static let pauses: ClosedRange<Duration> = .milliseconds(10) ... .milliseconds(200)

    private let queue: Queue
    private let logger: Logger
    private let state = NIOLockedValueBox(State())
    private let bell = Bell()

    init(queue: Queue, logger: Logger) {
        self.queue = queue
        self.logger = logger
    }

    /// Takes what was written; attempts that will be repeated are nobody's news.
    func add(_ written: [WrittenAttempt]) {
        let news = written.compactMap { row in row.state.map { (job: row.id, state: $0) } }
            .filter { $0.state != .available }
        let room = state.withLockedValue { state in
            let room = max(0, Self.limit - state.ends.count)
            state.ends += news.prefix(room)
            return room
        }
        if room < news.count {
            logger.notice(
                "callers are not told of all results", metadata: ["results": .stringConvertible(news.count - room)])
        }
        bell.ring()
    }

    /// Lets `run` return once everything is told.
    func finish() {
        state.withLockedValue { $0.isFinishing = true }
        bell.ring()
    }

    /// How long results gather after so many were told.
    static func pause(after told: Int) -> Duration {
        min(max(.milliseconds(told), pauses.lowerBound), pauses.upperBound)
    }

    /// Tells until finished or cancelled.
    func run() async {
        while !Task.isCancelled {
            let (batch, isFinishing) = state.withLockedValue { state in
                let batch = Array(state.ends.prefix(Self.batchLimit))
                state.ends.removeFirst(batch.count)
                return (batch, state.isFinishing)
            }
            if !batch.isEmpty {
                do {
                    try await queue.announce(batch)
                } catch {
                    logger.debug("callers were not told of results", metadata: ["error": "\(error)"])
                    // Nobody waits for hints.
                    if isFinishing { return }
                }
                // Cancelled: the loop ends.
                if !isFinishing { try? await Task.sleep(for: Self.pause(after: batch.count)) }
            } else if isFinishing {
                return
            } else {
                await bell.wait(atMost: .seconds(5), clock: .continuous)
            }
        }
    }
}
