import JobModel
import JobQueue
import Logging
import NIOConcurrencyHelpers
import Postgres

/// Writes the ends of attempts, many at a time, when ``WriteSchedule`` says so.
///
/// Holds on to results for as long as the database is away; ``Slots`` bounds how many.
final class Completer: Sendable {
    private struct State {
        var results: [CompletedAttempt] = []
        var schedule = WriteSchedule()
        /// Ends of jobs that somebody else has locked, and whether somebody looks whether they still are.
        var parked: [CompletedAttempt] = []
        var parkedUntil = ContinuousClock.now
        var isTrying = false
        var isFinishing = false
        var news = ProviderNews()

        /// What to do now, while so many jobs in hand have not ended.
        mutating func next(unended: Int) -> Step {
            let now = ContinuousClock.now
            if !parked.isEmpty, parkedUntil <= now, !isTrying {
                isTrying = true
                return .tryAgain(parked)
            }
            let limit = parked.isEmpty ? .seconds(5) : Completer.parkingTime
            if let delay = schedule.delay(waiting: results.count, unended: isFinishing ? 0 : unended, at: now) {
                return delay > .zero ? .wait(min(delay, limit)) : .write(begin(at: now))
            }
            if isFinishing, schedule.writes == 0, parked.isEmpty { return .end }
            return .wait(limit)
        }

        /// Of the parked ends those of `jobs` are free to be written, the others wait for another while.
        mutating func tried(free jobs: Set<JobID>) {
            isTrying = false
            parkedUntil = .now + Completer.parkingTime
            for result in parked where jobs.contains(result.job.claim.id) { add(result) }
            parked.removeAll { jobs.contains($0.job.claim.id) }
        }

        mutating func add(_ result: CompletedAttempt) {
            if results.isEmpty { schedule.firstCame(at: .now) }
            results.append(result)
        }

        private mutating func begin(at now: ContinuousClock.Instant) -> [CompletedAttempt] {
            let batch = Array(results.prefix(WriteSchedule.batchLimit))
            results.removeFirst(batch.count)
            schedule.began(at: now)
            return batch
        }
    }

    private enum Step {
        case write([CompletedAttempt])
        /// Look which of these jobs are locked no longer.
        case tryAgain([CompletedAttempt])
        case wait(Duration)
        case end
    }

    private static let parkingTime: Duration = .seconds(1)

    private let queue: Queue
    private let logger: Logger
    private let unended: @Sendable () -> Int
    private let announcer: Announcer
    private let written: @Sendable (CompletedAttempt) -> Void
    private let state = NIOLockedValueBox(State())
    private let bell = Bell()

    /// - Parameters:
    ///   - unended: how many jobs in hand have calls that have not ended or not begun.
    ///   - written: called for each attempt once its end is written or known to be late.
    init(
        queue: Queue, announcer: Announcer, logger: Logger, unended: @escaping @Sendable () -> Int,
        written: @escaping @Sendable (CompletedAttempt) -> Void
    ) {
        self.queue = queue
        self.announcer = announcer
        self.logger = logger
        self.unended = unended
        self.written = written
    }

    /// Takes a result; it will be written.
    func add(_ result: CompletedAttempt) {
        let unended = unended()
        let isNews = state.withLockedValue { state in
            state.add(result)
            return state.schedule.isNews(waiting: state.results.count, unended: unended)
        }
        if isNews { bell.ring() }
    }

    /// Lets `run` return once everything is written; nothing may be added any more.
    func finish() {
        state.withLockedValue { $0.isFinishing = true }
        bell.ring()
    }

    /// Writes until finished, or cancelled: then what is left is taken over by other workers.
    func run() async {
        await withDiscardingTaskGroup { writes in
            while !Task.isCancelled {
                let unended = unended()
                switch state.withLockedValue({ $0.next(unended: unended) }) {
                case .write(let batch):
                    writes.addTask(name: "write") {
                        let began = ContinuousClock.now
                        await self.write(batch)
                        self.state.withLockedValue { $0.schedule.ended(from: began, to: .now) }
                        self.bell.ring()
                    }
                case .tryAgain(let parked):
                    writes.addTask(name: "parked") {
                        // A look that failed is repeated after a while.
                        let free = (try? await self.queue.unlocked(parked.map(\.job.claim.id))) ?? []
                        self.state.withLockedValue { $0.tried(free: free) }
                        self.bell.ring()
                    }
                case .wait(let limit): await bell.wait(atMost: limit, clock: .continuous)
                case .end: return
                }
            }
        }
    }

    /// Some job of the batch is locked by a transaction that does not end: the others are written, those wait. Where none is,
    /// something else was: all wait for a while.
    private func writeAround(_ batch: [CompletedAttempt]) async throws(PostgresError) {
        let unlocked = try await queue.unlocked(batch.map(\.job.claim.id))
        let busy = batch.filter { !unlocked.contains($0.job.claim.id) }
        let waiting = busy.isEmpty ? batch : busy
        logger.notice(
            "somebody has locked jobs whose results wait", metadata: ["results": .stringConvertible(waiting.count)])
        state.withLockedValue { state in
            state.parked += waiting
            state.parkedUntil = .now + Self.parkingTime
        }
        if waiting.count < batch.count { await write(batch.filter { unlocked.contains($0.job.claim.id) }) }
    }

    private func write(_ batch: [CompletedAttempt]) async {
        var backoff = Duration.milliseconds(50)
        var races = 0
        while !Task.isCancelled {
            do throws(PostgresError) {
                do throws(PostgresError) {
                    report(try await queue.complete(batch), of: batch)
                } catch  where error.sqlState == .lockNotAvailable {
                    try await writeAround(batch)
                }
                return
            } catch {
                // Another worker has just written the same provider's id: seen now, the job needs a person.
                let isRace = error.sqlState == .uniqueViolation && races < 3
                if isRace { races += 1 }
                if error.isRowsFault, !isRace {
                    await writeApart(batch, error)
                    return
                }
                logger.warning(
                    "could not write results; trying again",
                    metadata: ["results": .stringConvertible(batch.count), "error": "\(error)"])
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
                metadata: ["job_id": .stringConvertible(attempt.job.claim.id.value), "error": "\(error)"])
            written(attempt)
        }
    }

    private func report(_ rows: [WrittenAttempt], of batch: [CompletedAttempt]) {
        announcer.add(rows)
        let lost = Set(rows.lazy.filter { !$0.isWritten }.map(\.id))
        let inherited = batch.filter { $0.isInheritedDoubt && !lost.contains($0.job.claim.id) }
        for (provider, jobs) in Dictionary(grouping: inherited, by: \.job.claim.kind.provider) {
            logger.notice(
                "jobs became uncertain: a worker that is gone may have sent them",
                metadata: ["provider": "\(provider)", "jobs": .stringConvertible(jobs.count)])
        }
        for attempt in batch {
            tellOfProvider(attempt)
            if lost.contains(attempt.job.claim.id) {
                if attempt.result.providerID != nil {
                    logger.warning(
                        "a success came too late: the provider may have two records", metadata: attempt.metadata)
                } else {
                    logger.notice("came too late: kept as late evidence", metadata: attempt.metadata)
                }
            } else if attempt.decision.state == .failed || attempt.decision.state == .uncertain {
                logger.notice("a job needs a person", metadata: attempt.metadata)
            } else {
                logger.debug("attempt written", metadata: attempt.metadata)
            }
            written(attempt)
        }
    }
}

extension Completer {
    private func tellOfProvider(_ attempt: CompletedAttempt) {
        let provider = attempt.job.claim.kind.provider
        let items = state.withLockedValue { $0.news.ended(attempt.result, attempt.decision, of: provider) }
        for item in items {
            var metadata: Logger.Metadata = ["provider": "\(provider)"]
            if item.isTrouble {
                metadata["error"] = attempt.result.error.map { "\($0)" }
                metadata["http_status"] = attempt.result.httpStatus.map { .stringConvertible($0) }
                metadata["held_seconds"] = (attempt.decision.providerHold?.components.seconds).map {
                    .stringConvertible($0)
                }
            }
            logger.log(level: item.isTrouble ? .warning : .notice, "\(item.message)", metadata: metadata)
        }
    }
}

extension CompletedAttempt {
    /// Whether the job is uncertain for what an earlier claim may have sent: this one sent nothing.
    fileprivate var isInheritedDoubt: Bool {
        decision.state == .uncertain && result.outcome == .ambiguous && !result.mayHaveReached
            && result.httpStatus == nil
    }

    /// What a log line tells of it; never a payload. Made when the line is written, which most are not.
    fileprivate var metadata: Logger.Metadata {
        let claim = job.claim
        return [
            "job_id": .stringConvertible(claim.id.value), "provider": "\(claim.kind.provider)", "kind": "\(claim.kind)",
            "attempt": .stringConvertible(claim.attempt),
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
