/// What the claim brought back: the row as it was then. The worker decides by this, however old it is.
struct ClaimedFacts: Hashable {
    var plan: AttemptPlan = .create
    var key: UInt8 = 0
    /// `first_sent_ms` is not null: an earlier claim may have sent.
    var wasSentBefore = false
    /// `last_sent_ms` is at least the settle time, or null.
    var isSettled = false
    var keyIsOld = false
    var attemptsAreUsedUp = false
    /// `attempt` is at most 1.
    var isFirstAttempt = false
    /// `last_create_status`.
    var createStatus = CreateStatus.other
    /// `remaining_ms` is not positive.
    var isExpired = false
    /// Ghost: all attempts were used before this claim.
    var hadNoAttemptLeft = false
    /// Ghost: the wish to cancel was in the row.
    var cancelWasRequested = false
    /// Ghost: a worker had proved the record before this claim.
    var wasProved = false
}
