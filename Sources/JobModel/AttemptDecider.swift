/// Decides what becomes of a job after an attempt: the one place for retries, look-ups and giving up.
///
/// A value without clock or I/O; randomness comes in from the caller. Decisions hold for a job that nobody has cancelled;
/// the write that carries them makes `cancelled` of a job that was cancelled meanwhile and cannot exist, and leaves one
/// that may exist to the next claim's ``AttemptPlan``.
package struct AttemptDecider: Sendable {
    /// The waits between attempts.
    package var backoff: Backoff
    /// How many answers of 500 in a row a provider may replay for a key before the record is looked up.
    package var replayedErrorLimit: Int
    /// When look-ups whose answers cannot be read are given up.
    package var unreadableLimit = LookUpLimit(count: 10, time: .seconds(3600))
    /// When look-ups that are not answered at all, or with an error of the provider, are given up.
    package var unansweredLimit = LookUpLimit(count: 200, time: .seconds(7 * 86_400))

    /// A limit on look-ups in a row that tell nothing.
    package struct LookUpLimit: Sendable {
        /// How many there may be.
        package var count: Int
        /// For how long they may go on.
        package var time: Duration

        fileprivate func isReached(after count: Int, over time: Duration) -> Bool {
            count >= self.count || time >= self.time
        }
    }

    /// Uses the design's backoff and looks after five answers of 500 whether they are replays.
    package init(backoff: Backoff = Backoff(), replayedErrorLimit: Int = 5) {
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
        // `Retry-After: 0` is ignored: it would turn a loop into a flood.
        if let asked = result.retryAfter, asked >= .seconds(1) { wait = asked }
        let situation = Situation(
            decider: self, claim: claim, result: result, step: step, policy: policy, canLookUp: canLookUp, wait: wait)
        var decision = situation.decision()
        // Also after an answer that proves nothing: the provider asked for it.
        if result.outcome == .throttled || result.httpStatus == 503 { decision.providerHold = result.retryAfter }
        return decision
    }
}

/// One attempt seen from all sides; exists for the length of one decision.
private struct Situation {
    let decider: AttemptDecider
    let claim: Claim
    let result: CallResult
    let step: Step
    let policy: RecoveryPolicy
    let canLookUp: Bool
    let wait: Duration

    /// Whether this attempt or an earlier one may have created the record.
    var mayExist: Bool { claim.isInDoubt || (step == .create && result.mayHaveReached) }
    /// Time until no earlier request can have its effect any more; nil once that is over.
    var untilHorizon: Duration? {
        guard let age = claim.lastSentAge, age < claim.effectHorizon else { return nil }
        return claim.effectHorizon - age
    }
    var counts: Bool { step == .create }
    /// Attempts so far. The claim has counted one that turned out to be a look-up.
    var attempts: Int { claim.step == .create && step == .lookUp ? claim.attempt - 1 : claim.attempt }
    var attemptsAreUsedUp: Bool { attempts >= claim.maxAttempts }

    func decision() -> Decision {
        switch result.outcome {
        case .succeeded:
            return Decision(.completed, reason: "created at the provider", countsAttempt: counts)
        case .adopted:
            return Decision(.completed, reason: "found at the provider", countsAttempt: counts)
        case .notFound:
            return afterNotFound()
        case .invalidPayload:
            return afterInvalidPayload()
        case .rejected:
            return step == .create ? afterRefusedCreate() : afterRefusedLookUp()
        case .unauthorized:
            var decision = again(step, reason: "credentials refused", counted: false)
            decision.opensCircuit = true
            return decision
        case .throttled:
            return afterThrottle()
        case .notSent:
            return again(step, reason: "nothing was sent", counted: false)
        case .unavailable, .ambiguous, .lost:
            return step == .create ? afterLostAnswer() : afterMuteLookUp()
        }
    }

    private func afterNotFound() -> Decision {
        if let left = untilHorizon {
            // The record is looked for meanwhile: most effects come soon.
            var decision = again(
                .lookUp, reason: "an earlier request may still have its effect", counted: false,
                wait: min(left, max(wait, .seconds(1))))
            decision.muteLookUps = 0
            return decision
        }
        if claim.lastCreateStatus == 409, attempts <= 1 {
            return absent(.failed, reason: "the provider reports a conflict and shows no record that matches")
        }
        guard !attemptsAreUsedUp else {
            return absent(.failed, reason: "attempts used up; a look-up found no record")
        }
        // The provider says that the record is there, and does not show it: no reason to ask without a pause.
        let wait = claim.lastCreateStatus == 409 ? self.wait : .zero
        if let remaining = claim.remaining, wait >= remaining {
            return absent(.failed, reason: "expires before the next attempt; a look-up found no record")
        }
        var decision = absent(.available, reason: "no such record: send again")
        decision.delay = wait
        if keyHoldsAnError { decision.keyUse = .new } else if keyHasExpired { decision.keyUse = .renewed }
        return decision
    }

    /// A decision reached by the proof that no request so far has had an effect or will have one.
    private func absent(_ state: JobState, reason: String) -> Decision {
        var decision = Decision(state, reason: reason, countsAttempt: counts)
        decision.provesAbsence = true
        decision.muteLookUps = 0
        return decision
    }

    private var keyHoldsAnError: Bool {
        guard case .underSameKey = policy.resend else { return false }
        return claim.lastCreateStatus == 500
    }

    private func afterInvalidPayload() -> Decision {
        guard mayExist else {
            return Decision(.failed, reason: "the payload breaks its contract", countsAttempt: false)
        }
        guard step == .create, canLookUp else {
            return Decision(
                .uncertain, reason: "the payload breaks its contract and an earlier request may have arrived",
                countsAttempt: false)
        }
        return again(.lookUp, reason: "the payload breaks its contract: look up what may exist", counted: false)
    }

    /// A refusal proves that its own request created nothing. Under the same key it also proves it of those before, once
    /// none of them can have its effect any more: had one had it, the key would have brought back its answer.
    private func afterRefusedCreate() -> Decision {
        guard mayExist else { return Decision(.failed, reason: "refused by the provider") }
        guard keyAllowsResend else { return lookUpOrUncertain(wait: .zero) }
        guard let left = untilHorizon else { return absent(.failed, reason: "refused by the provider") }
        guard !attemptsAreUsedUp else { return outOf("attempts") }
        return again(
            .create, reason: "refused, but an earlier request may still have its effect: ask again", counted: true,
            wait: max(left, wait))
    }

    private func afterRefusedLookUp() -> Decision {
        if keyAllowsResend, !attemptsAreUsedUp, !claim.isCancelled {
            return again(.create, reason: "look-up refused: send again under the same key", counted: false)
        }
        return Decision(.uncertain, reason: "look-up refused by the provider", countsAttempt: false)
    }

    private func afterThrottle() -> Decision {
        // 503 does not prove that nothing happened; what it asks for is patience all the same.
        let mustLook = step == .create && result.mayHaveReached && !keyAllowsResend
        if mustLook, !canLookUp { return lookUpOrUncertain(wait: wait) }
        // The provider's own hold makes the job wait for longer where that is needed.
        return again(
            mustLook ? .lookUp : step, reason: "the provider asks to wait", counted: false,
            wait: max(result.retryAfter ?? .zero, .seconds(1)))
    }

    private func afterMuteLookUp() -> Decision {
        if result.outcome == .ambiguous, !result.isUnreadable {
            return Decision(
                .uncertain, reason: "a record was found that may not be this job's: a person must compare",
                countsAttempt: false)
        }
        let limit = result.isUnreadable ? decider.unreadableLimit : decider.unansweredLimit
        let count = claim.muteLookUps + 1
        guard !limit.isReached(after: count, over: claim.muteAge ?? .zero) else {
            return Decision(
                .uncertain, reason: "\(count) look-ups in a row told nothing: look at the provider",
                countsAttempt: false)
        }
        var decision = again(.lookUp, reason: "look up again", counted: false)
        decision.muteLookUps = count
        return decision
    }

    private func afterLostAnswer() -> Decision {
        if attemptsAreUsedUp { return outOf("attempts") }
        switch policy.resend {
        case .underSameKey:
            guard result.outcome != .ambiguous else { return afterConflict() }
            if repliesLookReplayed, canLookUp { return lookUpOrUncertain(wait: wait) }
            return again(.create, reason: "send again under the same key", counted: true)
        case .afterLookUp where result.outcome == .ambiguous:
            return afterConflict()
        case .afterLookUp, .never:
            return lookUpOrUncertain(wait: wait)
        }
    }

    /// A conflict is a definite answer: its own request created nothing, and where no earlier one may have, the record in its
    /// way is not the job's. Any other answer that is not understood leaves the doubt that every request leaves.
    private func afterConflict() -> Decision {
        var decision = lookUpOrUncertain(wait: result.httpStatus == 409 ? .zero : wait)
        decision.provesAbsence = result.httpStatus == 409 && !claim.isInDoubt && decision.nextStep == .lookUp
        return decision
    }

    private func lookUpOrUncertain(wait: Duration) -> Decision {
        guard canLookUp else {
            if keyAllowsResend, !attemptsAreUsedUp {
                return again(.create, reason: "no look-up: send again under the same key", counted: counts)
            }
            return Decision(.uncertain, reason: "the request may have arrived and nothing can tell")
        }
        return again(.lookUp, reason: "look up before sending again", counted: counts, wait: wait)
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

    private var keyAllowsResend: Bool { claim.keyAllowsResend(under: policy) }

    private var keyHasExpired: Bool {
        guard case .underSameKey = policy.resend else { return false }
        return !keyAllowsResend
    }

    /// A provider that stores errors for a key repeats a 500 for ever.
    private var repliesLookReplayed: Bool {
        result.httpStatus == 500 && claim.lastCreateStatus == 500 && claim.backoffStep >= decider.replayedErrorLimit
    }
}
