import JobModel
import JobQueue

/// When to claim from one provider, and from where.
///
/// Claims go on behind the cursor; a sweep from the start finds retries and late commits. Sweeps may take a tenth of the
/// time, however long some transaction keeps dead entries in front of the queue: after each the next waits ten times as
/// long as it took.
struct ClaimSchedule: Sendable {
    /// The longest that a retry or a late commit waits for a sweep.
    private static let longestWait: Duration = .seconds(2)
    /// How long sweeps wait when nothing asks for one and there is work behind the cursor.
    private static let usualWait: Duration = .milliseconds(100)
    /// How long after a wake-up to look once more: it stands for all commits of the next ten milliseconds
    /// (`0010_wakeups.sql`), and a commit takes a few. Twice more after it, each four times as long after the one before,
    /// for commits that take longer.
    private static let firstLook: Duration = .milliseconds(15)
    private static let lastLook: Duration = .milliseconds(240)

    let provider: ProviderName
    var cursor = ClaimCursor()
    private(set) var nextClaim: Duration = .zero
    private(set) var isEmpty = false
    private var nextSweep: Duration = .zero
    private var earliestSweep: Duration = .zero
    /// When to look once more for what a wake-up stood for, and how long that is after the look before.
    private var lookAgain: Duration?
    private var lookStep: Duration = .zero

    init(provider: ProviderName) {
        self.provider = provider
    }

    func isDue(at now: Duration) -> Bool { nextClaim <= now }

    /// Called before a claim; goes back to the start when a sweep is due. Returns whether it is a sweep.
    mutating func claimBegan(at now: Duration) -> Bool {
        if let time = lookAgain, now >= max(time, earliestSweep) {
            lookStep *= 4
            lookAgain = lookStep <= Self.lastLook ? now + lookStep : nil
            nextSweep = min(nextSweep, now)
        }
        if now >= nextSweep { cursor.sweep() }
        return cursor.isSweep
    }

    /// Jobs may have come: claim soon, from the start when the last sweep's cost allows, and some times more a little later.
    mutating func jobsCame(at now: Duration) {
        lookStep = Self.firstLook
        lookAgain = now + lookStep
        if isEmpty { nextClaim = cursor.isSweep ? earliestSweep : .zero }
        nextSweep = earliestSweep
    }

    mutating func claimReturned(
        _ batch: ClaimBatch, wasSweep: Bool, from start: Duration, to now: Duration, pollInterval: Duration
    ) {
        isEmpty = batch.claims.isEmpty
        if wasSweep, batch.looked {
            earliestSweep = now + min((now - start) * 10, Self.longestWait)
            nextSweep = max(earliestSweep, now + Self.usualWait)
        }
        guard isEmpty else {
            nextClaim = now
            return
        }
        switch batch.hint {
        case .empty where !wasSweep:
            nextSweep = earliestSweep
            nextClaim = max(now, earliestSweep)
        case .fenced:
            nextClaim = now + min(.milliseconds(200), pollInterval)
        default:
            nextClaim = now + min(batch.wait ?? pollInterval, pollInterval)
            if batch.wait == nil, let lookAgain { nextClaim = min(nextClaim, max(lookAgain, earliestSweep)) }
        }
    }

    /// The claim could not be made.
    mutating func claimFailed(at now: Duration, retryAfter delay: Duration) {
        nextClaim = now + delay
        nextSweep = now + delay
    }
}
