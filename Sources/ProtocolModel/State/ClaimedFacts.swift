/// What the claim brought back: the row as it was then. The worker decides by this, however old it is.
struct ClaimedFacts: Hashable {
    var plan: AttemptPlan = .create
    var key: UInt8 = 0
    /// `last_sent_at` is not null: an earlier request may have had its effect, or may still.
    var isInDoubt = false
    /// It cannot any more: the effect horizon is over.
    var isPastHorizon = false
    var keyIsOld = false
    var attemptsAreUsedUp = false
    /// `attempt` is at most 1.
    var isFirstAttempt = false
    /// `last_create_status`.
    var createStatus = CreateStatus.other
    /// `remaining_ms` is not positive.
    var isExpired = false
    /// `cancel_requested_at` is not null.
    var isCancelled = false
    /// Ghost: all attempts were used before this claim.
    var hadNoAttemptLeft = false
    /// Ghost: a worker had proved the record before this claim.
    var wasProved = false
    /// Ghost: a fenced-out worker's call without an answer had ended, and nothing had been proved since.
    var hadLateSend = false
}
