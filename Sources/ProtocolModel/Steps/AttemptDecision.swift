/// What becomes of a job after an attempt: `AttemptDecider` of the code, branch by branch. Waits are left out: a job may be
/// claimed at any time here, and may expire whenever it is due.
struct AttemptDecision {
    let facts: ClaimedFacts
    let rules: Rules

    private var policy: Policy { rules.policy }
    private var keyAllowsResend: Bool { policy.hasKey && !facts.keyIsOld }
    private var effectMayCome: Bool { facts.isInDoubt && !facts.isPastHorizon && !rules.has(.noHorizon) }

    func ending(of answer: Answer) -> Ending {
        switch answer {
        case .created: Ending(outcome: .succeeded, next: .completed, reached: true)
        case .createdButLost: endingWithoutAnswer()
        case .createdButError, .error, .errorBeforeEffect:
            afterLostAnswer(isAmbiguous: policy == .neither, looksReplayed: false, status: .error)
        case .replayedError: afterLostAnswer(isAmbiguous: false, looksReplayed: true, status: .error)
        case .createdButUnclear: afterUnclear(.other)
        case .unclear: afterUnclear(.conflict)
        case .refused: afterRefusal()
        case .turnedAway, .createdButTurnedAway: again(.throttled, .create)
        case .busy: afterBusy()
        }
    }

    /// The connection broke or the time for the call is over.
    func endingWithoutAnswer() -> Ending {
        afterLostAnswer(isAmbiguous: policy == .neither, looksReplayed: false, status: .other)
    }

    func ending(of answer: LookUpAnswer) -> Ending {
        switch answer {
        case .found: return Ending(outcome: .adopted, next: .completed, counts: false)
        case .notFound: return afterNotFound()
        case .turnedAway: return again(.throttled, .lookUp)
        case .unavailable: return again(.unavailable, .lookUp)
        case .puzzling: return uncertain(.ambiguous, .lookUpsTellNothing)
        case .refused:
            guard keyAllowsResend, !facts.attemptsAreUsedUp, !facts.isCancelled else {
                return uncertain(.rejected, .lookUpsTellNothing)
            }
            return facts.isExpired ? uncertain(.rejected, .expired) : again(.rejected, .create)
        }
    }

    private func again(_ outcome: AttemptOutcome, _ step: CallStep) -> Ending {
        Ending(outcome: outcome, next: .available, step: step, counts: false)
    }

    private func uncertain(_ outcome: AttemptOutcome, _ doubt: Doubt) -> Ending {
        Ending(outcome: outcome, next: .uncertain, counts: false, doubt: doubt)
    }

    private func afterNotFound() -> Ending {
        let holdsError = policy.hasKey && facts.createStatus == .error
        let isConflict = facts.createStatus == .conflict && facts.isFirstAttempt
        let isBelieved =
            !effectMayCome || (rules.has(.lastLookUpIsEarly) && facts.attemptsAreUsedUp)
            || (rules.has(.conflictIsEarly) && isConflict) || (rules.has(.keyReplacedEarly) && holdsError)
            || (rules.has(.cancelTrustsEarlyLookUp) && facts.isCancelled)
        guard isBelieved else { return again(.notFound, .lookUp) }
        var absent = again(.notFound, .create)
        absent.provesAbsence = true
        if facts.attemptsAreUsedUp || facts.isExpired || isConflict { absent.next = .failed }
        if absent.next == .available { absent.keyUse = holdsError ? .new : facts.keyIsOld ? .renewed : .same }
        return absent
    }

    /// A refusal proves that its own request created nothing, and under the same key, after the horizon, that no other did.
    private func afterRefusal() -> Ending {
        var refused = Ending(outcome: .rejected, next: .failed)
        guard facts.isInDoubt else { return refused }
        if keyAllowsResend, !effectMayCome || rules.has(.refusalIsEarly) {
            refused.provesAbsence = true
            return refused
        }
        return afterDoubt(Ending(outcome: .rejected, next: .available), mustLookUp: !keyAllowsResend)
    }

    private func afterBusy() -> Ending {
        var again = again(.busy, .create)
        again.reached = true
        if keyAllowsResend { return again }
        return afterDoubt(again, mustLookUp: true)
    }

    private func afterUnclear(_ status: CreateStatus) -> Ending {
        if rules.has(.adoptedBlindly) { return Ending(outcome: .adopted, next: .completed, reached: true) }
        return afterLostAnswer(isAmbiguous: true, looksReplayed: false, status: status)
    }

    private func afterLostAnswer(isAmbiguous: Bool, looksReplayed: Bool, status: CreateStatus) -> Ending {
        let end = Ending(
            outcome: isAmbiguous ? .ambiguous : .unavailable, next: .available, reached: true, status: status)
        return afterDoubt(end, mustLookUp: !policy.hasKey || (policy.canLookUp && (isAmbiguous || looksReplayed)))
    }

    /// What may exist is sent again where the key allows it, else looked up, else left to a person.
    private func afterDoubt(_ end: Ending, mustLookUp: Bool) -> Ending {
        var end = end
        if facts.attemptsAreUsedUp || mustLookUp || rules.has(.doubtWithoutNeed) {
            if policy.canLookUp {
                end.step = .lookUp
            } else {
                end.next = .uncertain
                end.doubt =
                    rules.has(.doubtWithoutNeed)
                    ? .lostAnswer
                    : facts.attemptsAreUsedUp ? .attemptsUsedUp : facts.keyIsOld ? .keyTooOld : .lostAnswer
            }
        }
        return end
    }
}
