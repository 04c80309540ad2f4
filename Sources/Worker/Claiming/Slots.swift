import JobModel

/// Counts what is in flight and says how much more may be claimed.
///
/// A slot is taken by a claim and freed when its call has succeeded, so that calls go on while results are written, or
/// when another end is written. As many results as there are slots may wait to be written: more can never pile up. No provider may take all slots: each of the
/// others keeps an eighth, so that one that hangs does not stop the rest.
struct Slots: Sendable {
    /// What one claim may bring.
    struct Allowance: Equatable, Sendable {
        var jobs: Int
        var bytes: Int
        /// How many bytes a job larger than `bytes` may have to come alone: what is free, and anything for a
        /// provider that has nothing in flight, or the others' documents would keep its large ones out for ever.
        var singleBytes: Int
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
    private var perProvider: [ProviderName: Int] = [:]
    /// The tokens of the claims in hand: those called, and those whose end is not written.
    private(set) var held: Set<ClaimToken> = []

    init(capacity: Int, maxBytes: Int, providers: Int) {
        self.capacity = capacity
        self.maxBytes = maxBytes
        reserve = providers > 1 ? max(1, capacity / 8) : 0
        ceiling = max(1, capacity - reserve * (providers - 1))
    }

    /// How many more may be claimed, of whichever provider.
    var free: Int { min(capacity - calling, 2 * capacity - held.count) }

    func allowance(for provider: ProviderName) -> Allowance {
        let jobs = min(free, ceiling - perProvider[provider, default: 0])
        let free = max(0, maxBytes - bytes)
        let hasNothing = perProvider[provider, default: 0] == 0
        return Allowance(
            jobs: max(0, jobs), bytes: min(free, Self.bytesPerClaim),
            singleBytes: hasNothing && (free > 0 || calling == 0) ? .max : free)
    }

    mutating func taken(by claim: Claim) {
        let isNew = held.insert(claim.token).inserted
        precondition(isNew, "a claim took two slots")
        calling += 1
        bytes += claim.payloadBytes
        perProvider[claim.kind.provider, default: 0] += 1
    }

    /// The call has ended; its end is to be written.
    mutating func freed(by claim: Claim) {
        precondition(held.contains(claim.token) && calling > 0, "a slot was freed that nobody took")
        calling -= 1
        bytes -= claim.payloadBytes
        perProvider[claim.kind.provider, default: 0] -= 1
    }

    /// The end is written, or known to be late.
    mutating func written(_ claim: Claim) {
        let wasHeld = held.remove(claim.token) != nil
        precondition(wasHeld, "an end was written twice")
    }
}
