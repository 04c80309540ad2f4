import JobModel
import JobQueue

/// When to claim from one provider, and from where.
///
/// Claims go on behind the cursor; a sweep from the start finds retries, late commits and priorities that
/// the cursor does not know. Sweeps are made when a claim came back short, and else as often as their own
/// cost allows: at most a tenth of the time.
struct ClaimSchedule: Sendable {
    let provider: ProviderName
    var cursor = ClaimCursor()
    private(set) var nextClaim: Duration = .zero
    private(set) var isEmpty = false
    private var nextSweep: Duration = .zero

    init(provider: ProviderName) {
        self.provider = provider
    }

    func isDue(at now: Duration) -> Bool { nextClaim <= now }

    /// Called before a claim; goes back to the start when a sweep is due. Returns whether it is a sweep.
    mutating func claimBegan(at now: Duration) -> Bool {
        if now >= nextSweep { cursor.reset() }
        return cursor.isAtStart
    }

    /// Jobs may have come: claim at once, from the start.
    mutating func jobsCame() {
        if isEmpty { nextClaim = .zero }
        nextSweep = .zero
    }

    mutating func claimReturned(
        _ batch: ClaimBatch, wanted: Int, wasSweep: Bool, from start: Duration, to now: Duration, pollInterval: Duration
    ) {
        isEmpty = batch.claims.isEmpty
        if wasSweep { nextSweep = now + min(max((now - start) * 10, .milliseconds(100)), .seconds(2)) }
        guard isEmpty else {
            nextClaim = now
            if batch.claims.count < wanted { nextSweep = .zero }
            return
        }
        switch batch.hint {
        case .empty where !wasSweep:
            nextSweep = .zero
            nextClaim = now
        case .rate, .inFlight:
            nextClaim = now + min(batch.wait ?? pollInterval, pollInterval)
        case .fenced:
            nextClaim = now + min(.milliseconds(200), pollInterval)
        default:
            nextClaim = now + pollInterval
        }
    }

    /// The claim could not be made.
    mutating func claimFailed(at now: Duration, retryAfter delay: Duration) {
        nextClaim = now + delay
        nextSweep = .zero
    }
}
