import DequeModule
import JobModel
import JobQueue

/// Counts what is in flight, says how much more may be claimed, and which claimed job begins next.
///
/// A slot is taken when a call begins and freed when it has succeeded, so that calls go on while results are written, or
/// when another end is written. As many results as there are slots may wait to be written: more can never pile up.
/// No provider may take all slots: each of the others keeps an eighth, so that one that hangs does not stop the rest.
///
/// A few jobs more are claimed than there are free slots: as many as will be free by the time the claim returns, judged
/// by the claims before. Where calls are slow that is none, and no job waits here that another worker could begin.
struct Slots: Sendable {
    /// What one claim may bring.
    struct Allowance: Equatable, Sendable {
        var jobs: Int
        var bytes: Int
        /// How many bytes a job larger than `bytes` may have to come alone: what is free, and anything for a
        /// provider that has nothing in flight, or the others' documents would keep its large ones out for ever.
        var singleBytes: Int
    }

    /// A claimed job, and as whom it was claimed.
    struct Ready: Sendable {
        var job: ClaimedJob
        var identity: LeaseTrust.Identity
    }

    /// What a provider has in hand.
    private struct Share {
        var calling = 0
        var ready = 0
    }

    /// The largest sum of payloads that one claim brings; its answer is in memory twice for a moment.
    static let bytesPerClaim = 32 << 20

    let capacity: Int
    let maxBytes: Int
    private let reserve: Int
    private let ceiling: Int
    /// Calls that have not ended.
    private(set) var calling = 0
    private(set) var bytes = 0
    private var shares: [ProviderName: Share] = [:]
    private var ready: Deque<Ready> = []
    /// How many slots were freed, ever.
    private(set) var freed = 0
    /// How many are freed while a claim is under way, as a rule.
    private var turnover = 0.0
    /// The tokens of the claims in hand: those to begin, those called, and those whose end is not written.
    private(set) var held: Set<ClaimToken> = []

    init(capacity: Int, maxBytes: Int, providers: Int) {
        self.capacity = capacity
        self.maxBytes = maxBytes
        reserve = providers > 1 ? max(1, capacity / 8) : 0
        ceiling = max(1, capacity - reserve * (providers - 1))
    }

    /// How many more may be claimed, of whichever provider.
    var free: Int { min(capacity + ahead - calling - ready.count, 2 * capacity - held.count) }

    /// Whether a job waits whose call may begin.
    var canBegin: Bool { firstToBegin != nil }

    private var ahead: Int { min(Int(turnover), capacity / 4) }

    func allowance(for provider: ProviderName) -> Allowance {
        let share = shares[provider, default: Share()]
        let jobs = min(free, ceiling + ahead - share.calling - share.ready)
        let free = max(0, maxBytes - bytes)
        let hasNothing = share.calling + share.ready == 0
        return Allowance(
            jobs: max(0, jobs), bytes: min(free, Self.bytesPerClaim),
            singleBytes: hasNothing && (free > 0 || calling + ready.count == 0) ? .max : free)
    }

    /// A claim has returned, with which as many slots were freed as `freed` has grown by since `before`.
    mutating func claimReturned(freedBefore before: Int) {
        turnover += (Double(freed - before) - turnover) / 4
    }

    /// A job was claimed; `next()` gives it out when it may begin.
    mutating func claimed(_ job: ClaimedJob, as identity: LeaseTrust.Identity) {
        let isNew = held.insert(job.claim.token).inserted
        precondition(isNew, "a job was claimed twice under one token")
        bytes += job.claim.payloadBytes
        shares[job.claim.kind.provider, default: Share()].ready += 1
        ready.append(Ready(job: job, identity: identity))
    }

    /// Takes a slot for the longest waiting job that may have one; nil where there is none.
    mutating func next() -> Ready? {
        guard let index = firstToBegin else { return nil }
        let begun = ready.remove(at: index)
        calling += 1
        shares[begun.job.claim.kind.provider, default: Share()].ready -= 1
        shares[begun.job.claim.kind.provider, default: Share()].calling += 1
        return begun
    }

    /// The call has ended; its end is to be written.
    mutating func freed(by claim: Claim) {
        precondition(held.contains(claim.token) && calling > 0, "a slot was freed that nobody took")
        calling -= 1
        freed += 1
        bytes -= claim.payloadBytes
        shares[claim.kind.provider, default: Share()].calling -= 1
    }

    /// The end is written, or known to be late.
    mutating func written(_ claim: Claim) {
        let wasHeld = held.remove(claim.token) != nil
        precondition(wasHeld, "an end was written twice")
    }

    private var firstToBegin: Int? {
        guard calling < capacity else { return nil }
        return ready.firstIndex { shares[$0.job.claim.kind.provider, default: Share()].calling < ceiling }
    }
}
