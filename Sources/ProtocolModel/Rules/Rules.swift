/// The protocol to explore: for which provider, how long, and with which rules changed.
struct Rules: Hashable {
    let policy: Policy
    /// Attempts that may have reached the provider.
    let maxAttempts: UInt8
    /// Operator's acts (verdicts "did not happen", retries) that one job may get; each begins a new round.
    let maxRounds: UInt8
    private let mutation: Mutation?
    private let dropped: Assumption?

    /// The protocol under all assumptions, unless told otherwise.
    init(
        _ policy: Policy, mutation: Mutation? = nil, without dropped: Assumption? = nil,
        maxAttempts: UInt8 = 2, maxRounds: UInt8 = 1
    ) {
        self.policy = policy
        self.maxAttempts = maxAttempts
        self.maxRounds = maxRounds
        self.mutation = mutation
        self.dropped = dropped
    }

    /// Whether this rule is left out.
    func has(_ mutation: Mutation) -> Bool { self.mutation == mutation }
    /// Whether a worker that lost its claim can never write under it again.
    var fencesForGood: Bool {
        !has(.unfencedCompletion) && !has(.claimKeepsToken) && !has(.lateEvidenceOverridesEnd)
    }
    /// Whether a worker in this phase sends nothing once its lease has ended.
    func heedsLease(in phase: WorkerPhase) -> Bool {
        phase == .sending ? !has(.frozenBodyGoesOn) : !has(.noLeaseCheck) && !has(.unfencedMark)
    }
    /// Whether the world keeps to this.
    func assumes(_ assumption: Assumption) -> Bool { dropped != assumption }
}
