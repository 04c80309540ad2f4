extension Successors {
    /// `claim` of migration 0003, and the plan that `AttemptPlan` makes of it.
    mutating func claim(_ name: WorkerName) {
        var next = state
        next.row.state = .running
        if !rules.has(.claimKeepsToken) { next[name.other].holdsToken = false }
        let sends = state.row.step == .create && !policy.marksBeforeSend
        if state.row.step == .create { next.row.attempt = min(state.row.attempt, rules.maxAttempts) + 1 }
        let wasSentBefore = state.row.sent != .none
        if wasSentBefore { next.row.sent = .earlier }
        if sends {
            // The claim alone is taken for a send.
            if !wasSentBefore { next.row.sent = .byThisClaim }
            next.row.isSettled = false
        }
        var worker = WorkerState()
        worker.phase = .claimed
        worker.holdsToken = true
        worker.isCurrent = true
        worker.facts.key = next.row.key
        worker.facts.wasSentBefore = wasSentBefore
        // A claim that counts as a send leaves no age of an earlier one. The code takes that for settled.
        worker.facts.isSettled = next.row.isSettled || (sends && rules.has(.keyedLookUpDoesNotSettle))
        worker.facts.keyIsOld = wasSentBefore && state.row.keyIsOld
        worker.facts.attemptsAreUsedUp = next.row.attempt >= rules.maxAttempts
        worker.facts.isFirstAttempt = next.row.attempt <= 1
        worker.facts.createStatus = state.row.createStatus
        worker.facts.isExpired = state.row.isExpired
        worker.facts.hadNoAttemptLeft = state.row.attempt >= rules.maxAttempts
        worker.facts.cancelWasRequested = state.row.cancelRequested
        worker.facts.wasProved = state.wasProved
        worker.facts.plan = plan(for: state.row, worker.facts)
        switch worker.facts.plan {
        case .create:
            if rules.has(.newKeyAtResend), wasSentBefore {
                next.replaceKey()
                worker.facts.key = next.row.key
            }
        case .lookUp: break
        case .adopt:
            worker.phase = .answered
            worker.ending = Ending(next: .completed, counts: false, hasID: true)
        case .giveUp:
            worker.phase = .answered
            worker.ending = Ending(next: .uncertain, counts: false, doubt: state.row.isExpired ? .expired : .keyTooOld)
        }
        next[name] = worker
        add(.claim(name, worker.facts.plan), next)
    }

    private func plan(for row: JobRow, _ facts: ClaimedFacts) -> AttemptPlan {
        if row.hasEvidence, row.hasBackedOff || !rules.has(.evidenceOnlyAfterBackoff) { return .adopt }
        if rules.has(.noLookUpBeforeResend) { return .create }
        if row.step == .lookUp, policy.canLookUp { return .lookUp }
        guard facts.wasSentBefore else { return .create }
        if facts.isExpired { return .giveUp }
        switch policy {
        case .keyed, .keyedBlind:
            if !facts.keyIsOld || rules.has(.keyLifeIgnored) { return .create }
        case .lookUp:
            if row.step == .create { return .create }
        case .neither:
            if rules.has(.lostAnswerSentAgain) || rules.has(.takeOverForgetsSend) { return .create }
        }
        return policy.canLookUp ? .lookUp : .giveUp
    }
}
