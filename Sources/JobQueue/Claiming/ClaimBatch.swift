package import JobModel

/// What one claim brought.
package struct ClaimBatch: Sendable {
    /// Why a claim brought nothing, spelt as the claim function spells it.
    package enum Hint: String, Sendable {
        /// Nothing is due behind the cursor.
        case empty
        /// The provider is paused by an operator.
        case paused
        /// The provider asked for patience.
        case held
        /// The provider's circuit is open.
        case circuit
        /// All calls in flight that the provider's limit allows are taken.
        case inFlight = "in_flight"
        /// The provider's rate is used up.
        case rate
        /// The worker's lease has ended.
        case fenced
        /// The provider is not in the database.
        case unknown
    }

    /// The claimed jobs.
    package var claims: [ClaimedJob] = []
    /// Why there are none; nil when there are some.
    package var hint: Hint?
    /// When a claim may bring something again, where the database can tell.
    package var wait: Duration?
    /// Whether some lay where only a sweep finds them.
    package var cameFromFarBack = false

    /// The database's clock at the end of the claim, as the time since 1970.
    package var clock: Duration?

    /// A batch that brought nothing, without a reason.
    package init() {}

    /// Whether the claim got to look for jobs; false when a limit stopped it before.
    package var looked: Bool { hint == nil || hint == .empty }

    /// Makes no use of the ages that came with the claims: the clock jumped, back if `isBack`, between what they count
    /// from and the claim. Requests then count as just sent, and keys, after a jump back, as older than any may be.
    package mutating func distrustAges(isBack: Bool) {
        claims = claims.map { job in
            var claim = job.claim
            if claim.lastSentAge != nil { claim.lastSentAge = .zero }
            if isBack, claim.firstSentAge != nil { claim.firstSentAge = .seconds(100 * 366 * 86_400) }
            return job.with(claim)
        }
    }

    /// The sum of the payloads in bytes.
    package var bytes: Int { claims.reduce(0) { $0 + $1.claim.payloadBytes } }
}

/// A claim with what only the queue needs of it. By reference, since it is handed on many times.
package final class ClaimedJob: Sendable {
    /// What the attempt works with.
    package let claim: Claim
    /// The name under which it was claimed; a worker that loses its lease goes on under another.
    package let worker: WorkerID
    /// When the claim was made, on the database's clock, as the journal wants it back.
    package let claimedAt: String
    /// The monotonic time just before the claim. The job's remaining time is counted from here.
    package let claimedAfter: ContinuousClock.Instant

    /// Puts them together.
    package init(claim: Claim, worker: WorkerID, claimedAt: String, claimedAfter: ContinuousClock.Instant = .now) {
        self.claim = claim
        self.worker = worker
        self.claimedAt = claimedAt
        self.claimedAfter = claimedAfter
    }

    /// Whether the job's `expires_at` is not over at `now`.
    package func isInTime(at now: ContinuousClock.Instant) -> Bool {
        claim.remaining.map { now - claimedAfter < $0 } ?? true
    }

    /// The same without the payload: what is left once the call is over.
    package var withoutPayload: ClaimedJob {
        var claim = claim
        claim.payload = nil
        return with(claim)
    }

    fileprivate func with(_ claim: Claim) -> ClaimedJob {
        ClaimedJob(claim: claim, worker: worker, claimedAt: claimedAt, claimedAfter: claimedAfter)
    }
}
