/// What becomes of a job after an attempt: `AttemptDecider` of the code, branch by branch. Waits other
/// than for the settle time are left out: a job may be claimed at any time here, and may expire whenever it is due.
struct AttemptDecision {
    let facts: ClaimedFacts
    let rules: Rules

    private var policy: Policy { rules.policy }

    func ending(of answer: Answer) -> Ending {
        switch answer {
        case .created:
            Ending(next: .completed, reached: true, hasID: true)
        case .createdButLost:
            endingWithoutAnswer()
        case .createdButError, .error:
            afterLostAnswer(isAmbiguous: policy == .neither, looksReplayed: false, status: .error)
        case .replayedError:
            afterLostAnswer(isAmbiguous: false, looksReplayed: true, status: .error)
        case .createdButUnclear:
            afterUnclear(.other)
        case .unclear:
            afterUnclear(.conflict)
        case .refused:
            Ending(next: .failed, isRefusal: true)
        case .turnedAway, .createdButTurnedAway:
            Ending(next: .available, counts: false)
        }
    }

    /// The connection broke or the time for the call is over.
    func endingWithoutAnswer() -> Ending {
        afterLostAnswer(isAmbiguous: policy == .neither, looksReplayed: false, status: .other)
    }

    func ending(of answer: LookUpAnswer) -> Ending {
        var again = Ending(next: .available, step: .lookUp, counts: false)
        if facts.isExpired { again = Ending(next: .uncertain, counts: false, doubt: .expired) }
        switch answer {
        case .found: return Ending(next: .completed, counts: false, hasID: true)
        case .notFound: return afterNotFound(again)
        case .turnedAway: return again
        case .unavailable:
            again.isUnanswered = true
            return again
        case .refused:
            if policy.hasKey, !facts.keyIsOld, !facts.attemptsAreUsedUp {
                again.isRefusal = true
                if again.next == .available { again.step = .create }
                return again
            }
            return Ending(next: .uncertain, counts: false, isRefusal: true, doubt: .lookUpRefused)
        }
    }

    private func afterNotFound(_ again: Ending) -> Ending {
        var tooEarly = again
        tooEarly.isNotFound = true
        tooEarly.waitsToSettle = true
        let holdsError = policy.hasKey && facts.createStatus == .error
        let settles = policy == .lookUp || holdsError || !rules.has(.keyedLookUpDoesNotSettle)
        let isEarly = settles && !facts.isSettled && !rules.has(.noSettleTime)
        let isLast = facts.attemptsAreUsedUp
        if isEarly, !(isLast && rules.has(.lastLookUpDoesNotSettle)) { return tooEarly }
        if isLast || facts.isExpired || (facts.createStatus == .conflict && facts.isFirstAttempt) {
            return Ending(next: .failed, counts: false, isNotFound: true)
        }
        var send = Ending(next: .available, counts: false, isNotFound: true)
        if holdsError { send.keyUse = .new } else if facts.keyIsOld { send.keyUse = .renewed }
        return send
    }

    private func afterUnclear(_ status: CreateStatus) -> Ending {
        if rules.has(.adoptedBlindly) { return Ending(next: .completed, reached: true, hasID: true) }
        return afterLostAnswer(isAmbiguous: true, looksReplayed: false, status: status)
    }

    private func afterLostAnswer(isAmbiguous: Bool, looksReplayed: Bool, status: CreateStatus) -> Ending {
        var again = Ending(next: .available, reached: true, status: status, isUnanswered: true)
        var doubt = Ending(next: .uncertain, reached: true, status: status, isUnanswered: true, doubt: .lostAnswer)
        if rules.has(.doubtWithoutNeed) { return doubt }
        // The mended form: settle time counts from the end of the call.
        again.waitsToSettle = policy.canLookUp && !rules.has(.settleCountsFromTheClaim)
        if facts.attemptsAreUsedUp, !rules.has(.lostAnswerSentAgain) {
            if policy.canLookUp {
                again.step = .lookUp
                return again
            }
            doubt.doubt = .attemptsUsedUp
            return doubt
        }
        switch policy {
        case .keyed: again.step = isAmbiguous || looksReplayed ? .lookUp : .create
        case .keyedBlind: break
        case .lookUp: again.step = rules.has(.lostAnswerSentAgain) ? .create : .lookUp
        case .neither: return rules.has(.lostAnswerSentAgain) ? again : doubt
        }
        return again
    }
}
