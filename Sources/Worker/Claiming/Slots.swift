import DequeModule
import JobModel
import JobQueue

/// Counts what is in flight, says how much more may be claimed, and which claimed job begins next.
///
/// A slot is taken when a call begins and freed when it has succeeded, so that calls go on while results are written, or
/// when another end is written. Twice as many jobs as may be called or wait for it may be in hand, results that wait to be
/// written included: more can never pile up. No provider may take all slots: each of the others keeps an eighth, so that
/// one that hangs does not stop the rest.
///
/// More jobs are claimed than there are free slots: as many as will be free by the time the claim returns, judged by the
/// claims before, and no more than there are slots, nor than two hundred. Where calls are slow that is none, and no job
/// waits here that another worker could begin; where they are quick, a claim brings enough to last until the next.
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
        var claimedAt: ContinuousClock.Instant
    }

    /// What a provider has in hand.
    private struct Share {
        var calling = 0
        var ready = 0
    }

    /// The largest sum of payloads that one claim brings; its answer is in memory twice for a moment.
    static let bytesPerClaim = 32 << 20
    /// How long a claimed job may wait for a slot.
    static let patience: Duration = .milliseconds(100)

    let capacity: Int
    let maxBytes: Int
    /// How many jobs more than slots are claimed at most, however quick calls are.
    private let spare: Int
    private let reserve: Int
    private let ceiling: Int
    /// Calls that have not ended.
    private(set) var calling = 0
    private(set) var bytes = 0
    private var shares: [ProviderName: Share] = [:]
    private var ready: Deque<Ready> = []
    /// How many slots are freed while a claim is under way, as a rule.
    private var turnover = 0.0
    /// When the last claim returned, and how many slots were freed since.
    private(set) var lastReturn: ContinuousClock.Instant?
    private var freedSince = 0
    /// The tokens of the claims in hand: those to begin, those called, and those whose end is not written.
    private(set) var held: Set<ClaimToken> = []

    init(capacity: Int, maxBytes: Int, providers: Int) {
        self.capacity = capacity
        self.maxBytes = maxBytes
        spare = min(capacity, 200)
        reserve = providers > 1 ? max(1, capacity / 8) : 0
        ceiling = max(1, capacity - reserve * (providers - 1))
    }

    /// How many more may be claimed, of whichever provider. What waits for its own provider's slots keeps others from none.
    var free: Int {
        let taken = shares.values.reduce(0) { $0 + min($1.calling + $1.ready, ceiling) }
        return min(capacity + ahead - taken, 2 * (capacity + spare) - held.count)
    }

    /// How many jobs make a claim worth its cost at once: an eighth of the slots; and where slots are freed so quickly that
    /// more than that come free during a claim, half as many again, for then a moment's wait costs less than a small claim.
    var worthClaiming: Int { max(1, capacity / 8, ahead * 3 / 2) }

    /// Whether claimed jobs wait that have not begun.
    var hasReady: Bool { !ready.isEmpty }

    private var ahead: Int { min(Int(turnover), spare) }

    func allowance(for provider: ProviderName) -> Allowance {
        let share = shares[provider, default: Share()]
        let jobs = min(free, ceiling + ahead - share.calling - share.ready)
        let free = max(0, maxBytes - bytes)
        let hasNothing = share.calling + share.ready == 0
        return Allowance(
            jobs: max(0, jobs), bytes: min(free, Self.bytesPerClaim),
            singleBytes: hasNothing && (free > 0 || calling + ready.count == 0) ? .max : free)
    }

    /// A claim was under way from `start` to `end`.
    mutating func claimReturned(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        if let lastReturn, end > lastReturn {
            // At the pace since the last one: where calls are quick, all may have ended before this one was made.
            let freed = Double(freedSince) * ((end - start) / (end - lastReturn))
            turnover += (freed - turnover) / 4
        }
        lastReturn = end
        freedSince = 0
    }

    /// A job was claimed; `next()` gives it out when it may begin.
    mutating func claimed(_ job: ClaimedJob, as identity: LeaseTrust.Identity, at now: ContinuousClock.Instant) {
        let isNew = held.insert(job.claim.token).inserted
        precondition(isNew, "a job was claimed twice under one token")
        bytes += job.claim.payloadBytes
        shares[job.claim.kind.provider, default: Share()].ready += 1
        ready.append(Ready(job: job, identity: identity, claimedAt: now))
    }

    /// Takes a slot for the longest waiting job that may have one; nil where there is none. What was claimed too long ago is
    /// none: since then its provider may have been paused or held, or the job cancelled.
    mutating func next(at now: ContinuousClock.Instant) -> Ready? {
        guard calling < capacity else { return nil }
        let index = ready.indices.first {
            now - ready[$0].claimedAt < Self.patience
                && shares[ready[$0].job.claim.kind.provider, default: Share()].calling < ceiling
        }
        return index.map { begin($0) }
    }

    /// Takes out what waits and was claimed too long ago. Until their ends are written they count as calls.
    mutating func giveBackStale(at now: ContinuousClock.Instant) -> [ClaimedJob] {
        giveBack { now - $0.claimedAt >= Self.patience }
    }

    /// Takes out what waits for a provider, or all that does, and claims none ahead for a while. Until their ends are written
    /// they count as calls.
    mutating func giveBack(of provider: ProviderName? = nil) -> [ClaimedJob] {
        turnover = 0
        return giveBack { provider == nil || $0.job.claim.kind.provider == provider }
    }

    private mutating func giveBack(where isMeant: (Ready) -> Bool) -> [ClaimedJob] {
        var jobs: [ClaimedJob] = []
        for index in ready.indices.reversed() where isMeant(ready[index]) { jobs.append(begin(index).job) }
        return jobs
    }

    private mutating func begin(_ index: Int) -> Ready {
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
        freedSince += 1
        bytes -= claim.payloadBytes
        shares[claim.kind.provider, default: Share()].calling -= 1
    }

    /// The end is written, or known to be late.
    mutating func written(_ claim: Claim) {
        let wasHeld = held.remove(claim.token) != nil
        precondition(wasHeld, "an end was written twice")
    }
}
