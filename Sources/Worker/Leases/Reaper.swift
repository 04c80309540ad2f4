import JobModel
import JobQueue
import Logging

/// Takes over the jobs of workers that are gone, and fails those whose time is over.
///
/// Also takes back this worker's own jobs that it does not know of: the answer to their claim was lost, or
/// their end could not be written. No lease would ever end for those. And lets go what waits for a job that has gone.
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
    /// How many order keys it looks at a time.
    var orderKeys = 200
    /// How many blocked jobs it looks at a time.
    var blocked = 500

    /// How many times as long as a thorough look takes there is none, however much an old snapshot gives it to walk.
    private static let costFactor = 50
    private static let longestPause: Duration = .seconds(30)

    /// Works until cancelled.
    func run() async {
        var lastKey: OrderKey?
        var lastBlocked: JobID?
        var nextThorough = ContinuousClock.now
        var lastCost = Duration.zero
        while !Task.isCancelled {
            // Spread, so that the workers of a fleet do not all look at once. Cancelled: the loop ends.
            try? await Task.sleep(for: interval * Double.random(in: 0.5...1.5))
            if Task.isCancelled { return }
            let start = ContinuousClock.now
            do {
                let worker = trust.identity.worker
                guard start >= nextThorough else {
                    tell(try await queue.takeOver(by: worker, limit: batch))
                    continue
                }
                let old = try await queue.oldClaims(of: worker)
                // Compared with what is held after the answer: a claim that ends meanwhile is no suspect.
                let suspects = old.isEmpty ? [] : Array(Set(old).subtracting(held()))
                tell(try await queue.takeOverThoroughly(by: worker, suspects: suspects, limit: batch))
                let expired = try await queue.expireJobs(limit: batch)
                lastKey = try await queue.repairOrderKeys(after: lastKey, limit: orderKeys)
                lastBlocked = try await queue.repairBlocked(after: lastBlocked, limit: blocked)
                if expired > 0 { logger.notice("failed jobs whose time is over", metadata: ["jobs": "\(expired)"]) }
                // Not after a failure: an outage takes time too, and leaves claims whose answers were lost. The lesser of
                // two, since one alone may have waited for a connection, or for the processor.
                let cost = ContinuousClock.now - start
                nextThorough = .now + min(max(min(cost, lastCost) * Self.costFactor, interval * 4), Self.longestPause)
                lastCost = cost
            } catch {
                logger.warning("could not look after lost jobs", metadata: ["error": "\(error)"])
            }
        }
    }

    private func tell(_ taken: Int) {
        if taken > 0 { logger.notice("took over jobs of lost workers", metadata: ["jobs": "\(taken)"]) }
    }
}
