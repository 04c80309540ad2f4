import JobModel
import JobQueue
import Logging
import NIOConcurrencyHelpers
import Postgres

/// Writes the ends of attempts, many at a time: while one write is under way the next gather; and where many calls are in
/// flight, a few that have ended wait a moment for more.
///
/// Holds on to results for as long as the database is away; ``Slots`` bounds how many.
final class Completer: Sendable {
    private struct State {
        var results: [CompletedAttempt] = []
        /// Ends of jobs that somebody else has locked.
        var parked: [CompletedAttempt] = []
        var parkedUntil = ContinuousClock.now
        var isFinishing = false
    }

    private static let batchLimit = 500
    private static let parkingTime: Duration = .seconds(1)
    /// How long a few results wait for more; a write takes longer.
    private static let gatheringTime: Duration = .milliseconds(1)

    private let queue: Queue
    private let trust: LeaseTrust
    private let logger: Logger
    private let inFlight: @Sendable () -> Int
    private let announcer: Announcer
    private let written: @Sendable (CompletedAttempt) -> Void
    private let state = NIOLockedValueBox(State())
    private let bell = Bell()

    /// - Parameters:
    ///   - inFlight: how many calls have not ended.
    ///   - written: called for each attempt once its end is written or known to be late.
    init(
        queue: Queue, trust: LeaseTrust, announcer: Announcer, logger: Logger, inFlight: @escaping @Sendable () -> Int,
        written: @escaping @Sendable (CompletedAttempt) -> Void
    ) {
        self.queue = queue
        self.trust = trust
        self.announcer = announcer
        self.logger = logger
        self.inFlight = inFlight
        self.written = written
    }

    /// Takes a result; it will be written.
    func add(_ result: CompletedAttempt) {
        state.withLockedValue { $0.results.append(result) }
        bell.ring()
    }

    /// Lets `run` return once everything is written; nothing may be added any more.
    func finish() {
        state.withLockedValue { $0.isFinishing = true }
        bell.ring()
    }

    /// Writes until finished, or cancelled: then what is left is taken over by other workers.
    func run() async {
        while !Task.isCancelled {
            let waiting = state.withLockedValue { $0.results.count }
            if waiting > 0, waiting < inFlight() / 8 {
                // Cancelled: the loop ends.
                try? await Task.sleep(for: Self.gatheringTime)
            }
            let (batch, parked, isFinishing) = state.withLockedValue { state in
                if !state.parked.isEmpty, state.parkedUntil <= .now {
                    state.results += state.parked
                    state.parked = []
                }
                let batch = Array(state.results.prefix(Self.batchLimit))
                state.results.removeFirst(batch.count)
                return (batch, state.parked.count, state.isFinishing)
            }
            if !batch.isEmpty {
                await write(batch)
            } else if parked > 0 {
                await bell.wait(atMost: Self.parkingTime, clock: .continuous)
            } else if isFinishing {
                return
            } else {
                await bell.wait(atMost: .seconds(5), clock: .continuous)
            }
        }
    }

    /// Some job of the batch is locked by a transaction that does not end: the others are written, those wait.
    private func writeAround(_ batch: [CompletedAttempt]) async throws(PostgresError) {
        let unlocked = try await queue.unlocked(batch.map(\.job.claim.id))
        let busy = batch.filter { !unlocked.contains($0.job.claim.id) }
        if busy.isEmpty, batch.count > 1 {
            // It is not the jobs themselves: a provider's row, or what depends on one of them.
            await write(Array(batch[..<(batch.count / 2)]))
            await write(Array(batch[(batch.count / 2)...]))
            return
        }
        let waiting = busy.isEmpty ? batch : busy
        logger.notice("somebody has locked jobs whose results wait", metadata: ["results": "\(waiting.count)"])
        state.withLockedValue { state in
            state.parked += waiting
            state.parkedUntil = .now + Self.parkingTime
        }
        if waiting.count < batch.count { await write(batch.filter { unlocked.contains($0.job.claim.id) }) }
    }

    private func write(_ batch: [CompletedAttempt]) async {
        var backoff = Duration.milliseconds(50)
        while !Task.isCancelled {
            do throws(PostgresError) {
                do throws(PostgresError) {
                    report(try await queue.complete(batch, by: trust.identity.worker), of: batch)
                } catch  where error.sqlState == .lockNotAvailable {
                    try await writeAround(batch)
                }
                return
            } catch {
                if error.isRowsFault {
                    await writeApart(batch, error)
                    return
                }
                logger.warning(
                    "could not write results; trying again",
                    metadata: ["results": "\(batch.count)", "error": "\(error)"])
                // Cancelled: the loop ends.
                try? await Task.sleep(for: backoff)
                backoff = min(backoff * 2, .seconds(2))
            }
        }
    }

    /// One bad row must not stop the others: halves, down to the row alone.
    private func writeApart(_ batch: [CompletedAttempt], _ error: PostgresError) async {
        if batch.count > 1 {
            await write(Array(batch[..<(batch.count / 2)]))
            await write(Array(batch[(batch.count / 2)...]))
            return
        }
        for attempt in batch {
            logger.error(
                "a result cannot be written; the job is taken over when this worker ends",
                metadata: ["job_id": "\(attempt.job.claim.id)", "error": "\(error)"])
            written(attempt)
        }
    }

    private func report(_ rows: [WrittenAttempt], of batch: [CompletedAttempt]) {
        announcer.add(rows)
        let lost = Set(rows.lazy.filter { !$0.isWritten }.map(\.id))
        for attempt in batch {
            if lost.contains(attempt.job.claim.id) {
                logger.notice("came too late: kept as late evidence", metadata: attempt.metadata)
            } else if attempt.decision.state == .failed || attempt.decision.state == .uncertain {
                logger.notice("a job needs a person", metadata: attempt.metadata)
            } else {
                logger.debug("attempt written", metadata: attempt.metadata)
            }
            written(attempt)
        }
    }
}

extension CompletedAttempt {
    /// What a log line tells of it; never a payload. Made when the line is written, which most are not.
    fileprivate var metadata: Logger.Metadata {
        let claim = job.claim
        return [
            "job_id": "\(claim.id)", "kind": "\(claim.kind)", "attempt": "\(claim.attempt)",
            "outcome": "\(result.outcome.rawValue)", "state": "\(decision.state.rawValue)",
        ]
    }
}

extension PostgresError {
    /// Whether the fault lies in the rows that were to be written, so that trying the same again is vain.
    fileprivate var isRowsFault: Bool {
        guard let sqlState else { return false }
        return sqlState.isClass("22") || sqlState.isClass("23")
    }
}
