/// Decides what becomes of a job after an attempt: the one place for retries, look-ups and giving up.
///
/// A value without clock or I/O; randomness comes in from the caller.
package struct AttemptDecider: Sendable {
    /// The waits between attempts.
    package var backoff: Backoff
    /// How many answers of 500 in a row a provider may replay for a key before the record is looked up.
    package var replayedErrorLimit: Int
    /// How long after the last send a look-up that finds nothing proves nothing, where that send was answered.
    package var settle: Duration
    /// How much longer where it was not: a provider may be at work on it for as long as a call may take.
    package var longestCall: Duration

    /// Uses the design's backoff and looks after five answers of 500 whether they are replays.
    package init(
        backoff: Backoff = Backoff(), replayedErrorLimit: Int = 5, settle: Duration = .seconds(8),
        longestCall: Duration = .zero
    ) {
        self.settle = settle
        self.longestCall = longestCall
        self.backoff = backoff
        self.replayedErrorLimit = replayedErrorLimit
    }

    /// The decision for `result`, reached by doing `step` for `claim`.
    ///
    /// - Parameters:
    ///   - canLookUp: whether this very job can be looked up.
    ///   - jitter: a fresh random number from 0 to 1.
    package func decide(
        _ result: CallResult, for claim: Claim, doing step: Step, policy: RecoveryPolicy, canLookUp: Bool,
        jitter: Double
    ) -> Decision {
        var wait = backoff.delay(step: claim.backoffStep, jitter: jitter)
        // "At once" is no wish that a client in a loop should follow.
        if let asked = result.retryAfter, asked >= .seconds(1) { wait = asked }
        let situation = Situation(
            claim: claim, result: result, step: step, policy: policy, canLookUp: canLookUp, wait: wait,
            replayedErrorLimit: replayedErrorLimit,
            settle: claim.lastCreateStatus == nil ? settle + longestCall : settle)
        return situation.decision()
    }
}

/// One attempt seen from all sides; exists for the length of one decision.
private struct Situation {
    let claim: Claim
    let result: CallResult
    let step: Step
    let policy: RecoveryPolicy
    let canLookUp: Bool
    let wait: Duration
    let replayedErrorLimit: Int
    let settle: Duration

    /// Whether this attempt or an earlier one may have created the record.
    var mayExist: Bool { claim.firstSentAge != nil || (step == .create && result.mayHaveReached) }
    var counts: Bool { step == .create }
    var attemptsAreUsedUp: Bool { claim.attempt >= claim.maxAttempts }

    func decision() -> Decision {
        switch result.outcome {
        case .succeeded:
            return Decision(.completed, reason: "created at the provider", countsAttempt: counts)
        case .adopted:
            return Decision(.completed, reason: "found at the provider", countsAttempt: counts)
        case .notFound:
            return afterNotFound()
        case .invalidPayload:
            return Decision(.failed, reason: "the payload breaks its contract", countsAttempt: false)
        case .rejected:
            return afterRejection()
        case .unauthorized:
            var decision = again(step, reason: "credentials refused", counted: false)
            decision.opensCircuit = true
            return decision
        case .throttled:
            // The hold keeps the job, whoever set it and for how long: nothing here is the job's fault.
            var decision = again(step, reason: "the provider asks to wait", counted: false, wait: .zero)
            decision.providerHold = result.retryAfter.flatMap { $0 > .zero ? min($0, .seconds(86_400)) : nil }
            return decision
        case .notSent:
            return again(step, reason: "nothing was sent", counted: false)
        case .unavailable, .ambiguous, .lost:
            return step == .create ? afterLostAnswer() : again(.lookUp, reason: "look up again", counted: false)
        }
    }

    private func afterNotFound() -> Decision {
        if claim.lastCreateStatus == 409, claim.attempt <= 1 {
            return Decision(
                .failed, reason: "the provider reports a conflict and shows no record that matches",
                countsAttempt: false)
        }
        // What no look-up finds yet may still land, as long as a request may be on its way.
        let age = claim.lastSentAge ?? .zero
        if age < settle {
            return again(.lookUp, reason: "an earlier request may still land", counted: false, wait: settle - age)
        }
        guard !attemptsAreUsedUp else {
            return Decision(.failed, reason: "attempts used up; a look-up found no record", countsAttempt: false)
        }
        // The provider says that the record is there, and does not show it: no reason to ask without a pause.
        let wait = claim.lastCreateStatus == 409 ? self.wait : .zero
        if let remaining = claim.remaining, wait >= remaining {
            return Decision(
                .failed, reason: "expires before the next attempt; a look-up found no record", countsAttempt: false)
        }
        var decision = again(.create, reason: "no such record: send again", counted: false, wait: wait)
        if keyHoldsAnError { decision.keyUse = .new } else if keyHasExpired { decision.keyUse = .renewed }
        return decision
    }

    private var keyHoldsAnError: Bool {
        guard case .underSameKey = policy.resend else { return false }
        return claim.lastCreateStatus == 500
    }

    private func afterRejection() -> Decision {
        guard step == .lookUp else { return Decision(.failed, reason: "refused by the provider") }
        if case .underSameKey = policy.resend, !keyHasExpired, !attemptsAreUsedUp {
            return again(.create, reason: "look-up refused: send again under the same key", counted: false)
        }
        return Decision(.uncertain, reason: "look-up refused by the provider", countsAttempt: false)
    }

    private func afterLostAnswer() -> Decision {
        if attemptsAreUsedUp { return outOf("attempts") }
        switch policy.resend {
        case .underSameKey:
            guard result.outcome != .ambiguous else { return lookUpOrUncertain(wait: .zero) }
            if repliesLookReplayed, canLookUp { return lookUpOrUncertain(wait: wait) }
            return again(.create, reason: "send again under the same key", counted: true)
        case .afterLookUp:
            return lookUpOrUncertain(wait: wait)
        case .never:
            return lookUpOrUncertain(wait: wait)
        }
    }

    private func lookUpOrUncertain(wait: Duration) -> Decision {
        guard canLookUp else {
            if case .underSameKey = policy.resend {
                return again(.create, reason: "no look-up: send again under the same key", counted: true)
            }
            return Decision(.uncertain, reason: "the request may have arrived and nothing can tell")
        }
        return again(.lookUp, reason: "look up before sending again", counted: true, wait: wait)
    }

    /// The end of attempts or time: what may exist is looked up once more before the job fails.
    private func outOf(_ what: String) -> Decision {
        guard mayExist else { return Decision(.failed, reason: "\(what) used up", countsAttempt: counts) }
        guard canLookUp else {
            return Decision(
                .uncertain, reason: "\(what) used up and an earlier request may have arrived", countsAttempt: counts)
        }
        return .again(
            .lookUp, after: .zero, reason: "\(what) used up: look up what may exist", countsAttempt: counts)
    }

    /// Another go after `wait`, unless that would be past the job's end.
    private func again(
        _ next: Step, reason: String, counted: Bool, wait: Duration? = nil
    ) -> Decision {
        let wait = wait ?? self.wait
        if let remaining = claim.remaining, wait >= remaining {
            guard mayExist else {
                return Decision(.failed, reason: "expires before the next attempt", countsAttempt: counted)
            }
            guard canLookUp, step == .create || next == .lookUp else {
                return Decision(
                    .uncertain, reason: "expires before it can be known what happened", countsAttempt: counted)
            }
            // A look-up creates nothing: it goes on past the end, until it is known what happened.
            guard step == .create else { return .again(next, after: wait, reason: reason, countsAttempt: counted) }
            return .again(.lookUp, after: .zero, reason: "expires soon: look up what may exist", countsAttempt: counted)
        }
        return .again(next, after: wait, reason: reason, countsAttempt: counted)
    }

    private var keyHasExpired: Bool {
        guard case .underSameKey(let life) = policy.resend, let age = claim.firstSentAge else { return false }
        return age >= life - AttemptPlan.keyMargin
    }

    /// A provider that stores errors for a key repeats a 500 for ever.
    private var repliesLookReplayed: Bool {
        result.httpStatus == 500 && claim.lastCreateStatus == 500 && claim.backoffStep >= replayedErrorLimit
    }
}
