extension Successors {
    /// `claim`, and the plan that `AttemptPlan` makes of it.
    mutating func claim(_ name: WorkerName) {
        var next = state
        next.row.state = .running
        next.row.isMarked = false
        if !rules.has(.claimKeepsToken) { next[name.other].holdsToken = false }
        if state.row.step == .create { next.row.attempt = min(state.row.attempt, rules.maxAttempts) + 1 }
        if state.row.sent != .none { next.row.sent = .earlier }
        if rules.has(.horizonCountsFromTheClaim) { next.row.isPastHorizon = false }
        var worker = WorkerState()
        worker.phase = .claimed
        worker.holdsToken = true
        worker.isCurrent = true
        worker.facts = facts(next.row)
        worker.facts.plan = plan(for: next.row, worker.facts)
        switch worker.facts.plan {
        case .create:
            if rules.has(.newKeyAtResend), worker.facts.isInDoubt {
                next.replaceKey()
                worker.facts.key = next.row.key
            }
        case .lookUp: break
        case .adopt:
            worker.phase = .answered
            worker.ending = Ending(outcome: .adopted, next: .completed, counts: false)
        case .giveUp:
            worker.phase = .answered
            worker.ending = resignation(worker.facts)
        }
        next[name] = worker
        add(.claim(name, worker.facts.plan), next)
    }

    private func facts(_ claimed: JobRow) -> ClaimedFacts {
        var facts = ClaimedFacts()
        facts.key = claimed.key
        facts.isInDoubt = claimed.sent != .none
        facts.isPastHorizon = state.row.isPastHorizon
        facts.keyIsOld = claimed.keyIsUsed && claimed.keyIsOld
        facts.attemptsAreUsedUp = claimed.attempt >= rules.maxAttempts
        facts.isFirstAttempt = claimed.attempt <= 1
        facts.createStatus = claimed.createStatus
        facts.isExpired = claimed.isExpired
        facts.isCancelled = claimed.cancelRequested
        facts.hadNoAttemptLeft = state.row.attempt >= rules.maxAttempts
        facts.wasProved = state.wasProved
        facts.hadLateSend = claimed.lateSend
        return facts
    }

    private func plan(for row: JobRow, _ facts: ClaimedFacts) -> AttemptPlan {
        if row.hasEvidence, !rules.has(.evidenceUnreadByClaims) { return .adopt }
        if rules.has(.noLookUpBeforeResend) { return .create }
        if row.step == .lookUp, policy.canLookUp { return .lookUp }
        let keyAllowsResend = policy.hasKey && (!facts.keyIsOld || rules.has(.keyLifeIgnored))
        let mayCreate = !facts.isInDoubt || (keyAllowsResend && !facts.hadNoAttemptLeft)
        let isCancelled = facts.isCancelled && !rules.has(.cancelSendsAgain)
        if !isCancelled, !facts.isExpired, mayCreate { return .create }
        return facts.isInDoubt && policy.canLookUp ? .lookUp : .giveUp
    }

    private func resignation(_ facts: ClaimedFacts) -> Ending {
        guard facts.isInDoubt else {
            return Ending(outcome: .notSent, next: facts.isCancelled ? .cancelled : .failed, counts: false)
        }
        let doubt: Doubt =
            facts.isCancelled
            ? .cancelled
            : facts.isExpired
                ? .expired
                : policy == .neither ? .lostAnswer : facts.hadNoAttemptLeft ? .attemptsUsedUp : .keyTooOld
        return Ending(outcome: .ambiguous, next: .uncertain, counts: false, doubt: doubt)
    }
}
