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
/// More jobs are claimed than there are free slots: as many of the provider's as will begin by the time the claim returns,
/// judged by the claims before, and as many again as begin within ten milliseconds, so that a claim is worth its cost before
/// a slot is idle; no more than twice the slots, nor than two hundred for all providers together. Where calls are slow that
/// is none, and no job waits here that another worker could begin; where they are quick, a claim brings enough to last until
/// the next.
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

    /// What a provider has in hand, and how quickly its calls end.
    private struct Share {
        var calling = 0
        var ready = 0
        /// What a claim under way may bring.
        var claiming = 0
        /// How many calls end while a claim is under way, as a rule.
        var turnover = 0.0
        /// How many calls end within ``Slots/batchTime``, as a rule.
        var batch = 0.0
        /// When the last claim returned, and how many calls ended since.
        var lastReturn: ContinuousClock.Instant?
        var freedSince = 0

        var taken: Int { calling + ready + claiming }

        /// How many more than slots are worth having.
        var ahead: Int { Int(turnover + batch) }
    }

    /// The largest sum of payloads that one claim brings; its answer is in memory twice for a moment.
    static let bytesPerClaim = 32 << 20
    /// How many claims may be under way at once, each of another provider: where one waits, others go on, and connections
    /// are left for what is to be written.
    static let claimsAtOnce = 2
    /// Where calls are quick, a claim brings as many jobs as begin within this time, or more.
    static let batchTime: Duration = .milliseconds(10)
    /// How long a claimed job may wait for a slot.
    static let patience: Duration = .milliseconds(100)

    let capacity: Int
    let maxBytes: Int
    /// How many jobs more than slots are claimed at most, however quick calls are.
    private let spare: Int
    private let providers: Int
    private let ceiling: Int
    /// Calls that have not ended.
    private(set) var calling = 0
    private(set) var bytes = 0
    private var shares: [ProviderName: Share] = [:]
    private var ready: Deque<Ready> = []
    /// The providers whose claims wait for room.
    private var waiting: Set<ProviderName> = []
    /// The tokens of the claims in hand: those to begin, those called, and those whose end is not written.
    private(set) var held: Set<ClaimToken> = []

    init(capacity: Int, maxBytes: Int, providers: Int) {
        self.capacity = capacity
        self.maxBytes = maxBytes
        self.providers = providers
        spare = min(2 * capacity, 200)
        let reserve = providers > 1 ? max(1, capacity / 8) : 0
        ceiling = max(1, capacity - reserve * (providers - 1))
    }

    /// How many more may be claimed, of whichever provider. What waits for its own provider's slots keeps others from none.
    var free: Int {
        let taken = shares.values.reduce(0) { $0 + min($1.taken, ceiling) }
        let ahead = min(shares.values.reduce(0) { $0 + $1.ahead }, spare)
        let claiming = shares.values.reduce(0) { $0 + $1.claiming }
        return min(capacity + ahead - taken, 2 * (capacity + spare) - held.count - claiming)
    }

    /// How many jobs make a claim worth its cost at once: an eighth of the slots, or what begins within ten milliseconds; and
    /// where calls end so quickly that more than that do during a claim, half as many again, for then a moment's wait costs
    /// less than a small claim.
    func worthClaiming(for provider: ProviderName) -> Int {
        let share = shares[provider, default: Share()]
        return max(1, capacity / 8, min(spare, Int(share.batch)), min(spare, Int(share.turnover)) * 3 / 2)
    }

    /// Whether claimed jobs wait that have not begun.
    var hasReady: Bool { !ready.isEmpty }

    /// How many jobs of a provider wait that have not begun.
    func ready(of provider: ProviderName) -> Int { shares[provider, default: Share()].ready }

    /// How many calls have not ended or not begun.
    var unended: Int { calling + ready.count }

    private func ahead(for provider: ProviderName) -> Int {
        min(shares[provider, default: Share()].ahead, spare)
    }

    /// What a claim may bring; no jobs where as many claims are under way as may be. Those together keep to the limit of
    /// bytes, but for one job each that is larger than its part.
    func allowance(for provider: ProviderName) -> Allowance {
        let share = shares[provider, default: Share()]
        let isOneMore = shares.values.count { $0.claiming > 0 } < Self.claimsAtOnce
        let jobs = isOneMore ? min(free, ceiling + ahead(for: provider) - share.taken) : 0
        let free = max(0, maxBytes - bytes)
        let hasNothing = share.calling + share.ready == 0
        return Allowance(
            jobs: max(0, jobs), bytes: min(free / min(providers, Self.claimsAtOnce), Self.bytesPerClaim),
            singleBytes: hasNothing && (free > 0 || unended == 0) ? .max : free)
    }

    /// Keeps room for what a claim may bring, until it returns; nil where there is none.
    mutating func beginClaim(for provider: ProviderName) -> Allowance? {
        let allowance = allowance(for: provider)
        guard allowance.jobs > 0 else { return nil }
        shares[provider, default: Share()].claiming = allowance.jobs
        return allowance
    }

    /// A claim was under way from `start` to `end`, and brought something or failed.
    mutating func endClaim(
        for provider: ProviderName, from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) {
        var share = shares[provider, default: Share()]
        if let lastReturn = share.lastReturn, end > lastReturn {
            // At the pace since the last one: where calls are quick, all may have ended before this one was made.
            let freed = Double(share.freedSince)
            share.turnover += (freed * ((end - start) / (end - lastReturn)) - share.turnover) / 4
            share.batch += (freed * (Self.batchTime / (end - lastReturn)) - share.batch) / 4
        }
        share.claiming = 0
        share.lastReturn = end
        share.freedSince = 0
        shares[provider] = share
    }

    /// A claim waits until it is worth its cost; `openings` tells when.
    mutating func wait(_ provider: ProviderName) {
        waiting.insert(provider)
    }

    /// The providers whose claims have waited long enough: there is room.
    mutating func openings() -> [ProviderName] {
        guard !waiting.isEmpty else { return [] }
        let open = waiting.filter { allowance(for: $0).jobs >= worthClaiming(for: $0) }
        waiting.subtract(open)
        return Array(open)
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
        for name in shares.keys where provider == nil || provider == name {
            shares[name]?.turnover = 0
            shares[name]?.batch = 0
        }
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
        bytes -= claim.payloadBytes
        shares[claim.kind.provider, default: Share()].calling -= 1
        shares[claim.kind.provider, default: Share()].freedSince += 1
    }

    /// The end is written, or known to be late.
    mutating func written(_ claim: Claim) {
        let wasHeld = held.remove(claim.token) != nil
        precondition(wasHeld, "an end was written twice")
    }
}
