import JobModel
import JobQueue
import Logging
import Postgres

/// Takes over the jobs of workers that are gone, fails those whose time is over, and repairs what locks or chance left behind.
///
/// Also takes back this worker's own jobs that it does not know of: the answer to their claim was lost, or
/// their end could not be written. No lease would ever end for those.
///
/// Take-over has a loop of its own, and in the other each step stands alone: none waits for what another waits for.
struct Reaper: Sendable {
    let queue: Queue
    let trust: LeaseTrust
    /// The tokens of the claims that this worker has in hand.
    let held: @Sendable () -> [ClaimToken]
    let logger: Logger
    /// How often it looks; thoroughly at most a fourth as often.
    var interval: Duration = .seconds(1)
    /// How many jobs it takes at a time.
    var batch = 500

    /// When a look at everything is worth its cost: at most every fourth interval, and after fifty times as long as it took,
    /// however much an old snapshot gives it to walk.
    private struct Pace {
        private static let costFactor = 50
        private static let longestPause: Duration = .seconds(30)

        private var next = ContinuousClock.now
        private var lastCost = Duration.zero

        func isDue(at now: ContinuousClock.Instant) -> Bool { now >= next }

        /// A look took from `start` until now. Not called after a failure: an outage takes time too. The lesser of two
        /// counts, since one alone may have waited for a connection, or for the processor.
        mutating func looked(from start: ContinuousClock.Instant, interval: Duration) {
            let cost = ContinuousClock.now - start
            next = .now + min(max(min(cost, lastCost) * Self.costFactor, interval * 4), Self.longestPause)
            lastCost = cost
        }
    }

    /// Works until cancelled.
    func run() async {
        await withDiscardingTaskGroup { loops in
            loops.addTask(name: "take-over") { await takeOver() }
            loops.addTask(name: "repairs") { await repair() }
        }
    }

    private func takeOver() async {
        var pace = Pace()
        while await pause() {
            let start = ContinuousClock.now
            await step("take over jobs of lost workers") { () async throws(PostgresError) in
                let worker = trust.identity.worker
                guard pace.isDue(at: start) else { return tell(try await queue.takeOver(by: worker, limit: batch)) }
                let old = try await queue.oldClaims(of: worker)
                // Compared with what is held after the answer: a claim that ends meanwhile is no suspect.
                let suspects = old.isEmpty ? [] : Array(Set(old).subtracting(held()))
                tell(try await queue.takeOverThoroughly(by: worker, suspects: suspects, limit: batch))
                pace.looked(from: start, interval: interval)
            }
        }
    }

    private func repair() async {
        var pace = Pace()
        var repairs = Repairs()
        while await pause() {
            let start = ContinuousClock.now
            await step("settle ends") { () async throws(PostgresError) in try await Repairs.ends(of: queue) }
            guard pace.isDue(at: start) else { continue }
            await step("fail jobs whose time is over") { () async throws(PostgresError) in
                let expired = try await queue.expireJobs(limit: batch)
                if expired > 0 {
                    logger.notice("failed jobs whose time is over", metadata: ["jobs": .stringConvertible(expired)])
                }
            }
            await step("repair order keys") { () async throws(PostgresError) in
                try await repairs.nextOrderKeys(of: queue)
            }
            await step("repair blocked jobs") { () async throws(PostgresError) in
                try await repairs.nextBlocked(of: queue)
                pace.looked(from: start, interval: interval)
            }
        }
    }

    /// Waits for about an interval, spread, so that the workers of a fleet do not all look at once; false when cancelled.
    private func pause() async -> Bool {
        // Cancelled: the loop ends.
        try? await Task.sleep(for: interval * Double.random(in: 0.5...1.5))
        return !Task.isCancelled
    }

    private func step(_ name: String, _ body: () async throws(PostgresError) -> Void) async {
        do {
            try await body()
        } catch {
            logger.warning(
                "an upkeep step failed; the others go on", metadata: ["step": "\(name)", "error": "\(error)"])
        }
    }

    private func tell(_ taken: Int) {
        if taken > 0 { logger.notice("took over jobs of lost workers", metadata: ["jobs": .stringConvertible(taken)]) }
    }
}
