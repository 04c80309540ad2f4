import JobModel
import JobQueue

/// When to claim from one provider, and from where.
///
/// Claims go on behind the cursor. A look back to where it was some seconds ago finds what is due again and what was
/// committed late; a sweep from the start finds the rest: what lay open for longer, or stood behind an order key. Each may
/// take a tenth of the time, however many dead entries some transaction keeps in front of the queue: after each the next
/// waits for ten times as long as it took, and a sweep that takes long and finds nothing of its own for a hundred times.
struct ClaimSchedule: Sendable {
    /// The longest that a look back waits.
    private static let longestWait: Duration = .seconds(2)
    /// The longest that a sweep waits: so long waits what only it finds while it passes by a million dead entries.
    private static let longestSweepWait: Duration = .seconds(30)
    /// A sweep that takes longer, and twice as long as going on, passes by dead entries.
    private static let longSweep: Duration = .milliseconds(20)
    /// How long both wait when nothing asks for one and there is work behind the cursor.
    private static let usualWait: Duration = .milliseconds(100)
    /// How often the cursor's place is remembered: looks back go once to twice as far.
    private static let memory: Duration = .seconds(10)
    /// How long after a wake-up to look once more: it stands for all commits of the next ten milliseconds
    /// (`sql/wakeups/wake_workers.sql`), and a commit takes a few. Twice more after it, each four times as long after the one before,
    /// for commits that take longer.
    private static let firstLook: Duration = .milliseconds(15)
    private static let lastLook: Duration = .milliseconds(240)

    let provider: ProviderName
    var cursor = ClaimCursor()
    private(set) var nextClaim: Duration = .zero
    private(set) var isEmpty = false
    private var waitsForRoom = false
    private var nextSweep: Duration = .zero
    private var earliestSweep: Duration = .zero
    private var nextLookBack: Duration = .zero
    private var earliestLookBack: Duration = .zero
    private var nextMemory: Duration = .zero
    /// How long the last claim took that went on, with its wait for a connection and a turn.
    private var onwardTook: Duration = .zero
    /// When to look once more for what a wake-up stood for, and how long that is after the look before.
    private var lookAgain: Duration?
    private var lookStep: Duration = .zero

    init(provider: ProviderName) {
        self.provider = provider
    }

    func isDue(at now: Duration) -> Bool { nextClaim <= now }

    /// Called before a claim; returns where it begins.
    mutating func claimBegan(at now: Duration) -> ClaimCursor.Look {
        if let time = lookAgain, now >= max(time, earliestLookBack) {
            lookStep *= 4
            lookAgain = lookStep <= Self.lastLook ? now + lookStep : nil
            nextLookBack = min(nextLookBack, now)
            nextSweep = min(nextSweep, max(now, earliestSweep))
        }
        if now >= nextMemory {
            cursor.remember()
            nextMemory = now + Self.memory
        }
        cursor.begin(now >= nextSweep ? .sweep : now >= nextLookBack ? .back : .onward)
        return cursor.look
    }

    /// Jobs may have come: claim soon, from further back when the last look's cost allows, and some times more a little later.
    mutating func jobsCame(at now: Duration) {
        lookStep = Self.firstLook
        lookAgain = now + lookStep
        if isEmpty { nextClaim = cursor.look == .onward ? .zero : min(earliestLookBack, earliestSweep) }
        nextLookBack = earliestLookBack
        nextSweep = earliestSweep
    }

    mutating func claimReturned(
        _ batch: ClaimBatch, from look: ClaimCursor.Look, start: Duration, end now: Duration, pollInterval: Duration
    ) {
        isEmpty = batch.claims.isEmpty
        waitsForRoom = batch.hint == .inFlight
        if batch.looked {
            if look == .onward { onwardTook = now - start } else { lookedBack(batch, look, start: start, end: now) }
        }
        guard isEmpty else {
            nextClaim = now
            return
        }
        switch batch.hint {
        case .empty where look == .onward:
            nextLookBack = earliestLookBack
            nextSweep = earliestSweep
            nextClaim = max(now, min(earliestLookBack, earliestSweep))
        case .fenced:
            nextClaim = now + min(.milliseconds(200), pollInterval)
        default:
            nextClaim = now + min(batch.wait ?? pollInterval, pollInterval)
            if batch.wait == nil, let lookAgain { nextClaim = min(nextClaim, max(lookAgain, earliestLookBack)) }
            // What is not here may lie further back.
            if batch.wait == nil, look == .back { nextClaim = min(nextClaim, nextSweep) }
        }
    }

    private mutating func lookedBack(
        _ batch: ClaimBatch, _ look: ClaimCursor.Look, start: Duration, end: Duration
    ) {
        let took = end - start
        // What a look back takes does not follow from what a sweep did.
        earliestLookBack = look == .back ? end + min(took * 10, Self.longestWait) : end
        nextLookBack = max(earliestLookBack, end + Self.usualWait)
        if look == .sweep {
            // What only a sweep finds may be followed by more: each end under an order key lets the next job go.
            let isInVain = !batch.cameFromFarBack && took > max(Self.longSweep, onwardTook * 2)
            earliestSweep =
                end + (isInVain ? min(took * 100, Self.longestSweepWait) : min(took * 10, Self.longestWait))
            nextSweep = max(earliestSweep, end + Self.usualWait)
        }
    }

    /// A call has ended: where the limit of those in flight was reached, there may be room.
    mutating func roomCame() {
        if waitsForRoom { nextClaim = .zero }
    }

    /// The claim could not be made; a sweep that took too long waits as one that took long.
    mutating func claimFailed(
        from look: ClaimCursor.Look, isTimeout: Bool, at now: Duration, retryAfter delay: Duration
    ) {
        nextClaim = now + delay
        earliestLookBack = max(earliestLookBack, now + (isTimeout && look == .back ? Self.longestWait : delay))
        nextLookBack = earliestLookBack
        earliestSweep = max(earliestSweep, now + (isTimeout && look == .sweep ? Self.longestSweepWait : delay))
        nextSweep = earliestSweep
    }
}
