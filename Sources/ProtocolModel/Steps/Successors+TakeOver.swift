extension Successors {
    /// `take_over` of migration 0003.
    mutating func takeOver() {
        guard state.row.state == .running, let owner = state.owner, !rules.has(.noTakeOver) else { return }
        guard state[owner].lease == .passed || rules.has(.takeOverBeforeLeaseEnds) else { return }
        var next = state
        next[owner].isCurrent = false
        if state[owner].phase == .dead { next[owner] = WorkerState() }
        let mayExist = state.row.sent != .none && !rules.has(.takeOverForgetsSend)
        next.row.state = .available
        if mayExist, state.row.step == .create {
            switch policy {
            case .neither:
                next.row.state = .uncertain
                next.row.doubt = .lostAnswer
            case .lookUp:
                next.row.step = .lookUp
            case .keyed, .keyedBlind:
                let isCancelled = state.row.cancelRequested && !rules.has(.cancelSendsAgain)
                guard isCancelled || state.row.attempt >= rules.maxAttempts else { break }
                next.row.step = .lookUp
                if !policy.canLookUp, isCancelled || !rules.has(.unknownLookUpIsNotFalse) {
                    next.row.state = .uncertain
                    next.row.doubt = isCancelled ? .cancelled : .attemptsUsedUp
                }
            }
        } else if !mayExist, state.row.cancelRequested {
            next.row.state = .cancelled
        }
        if state.row.step == .create, !mayExist { next.row.attempt -= 1 }
        if next.row.sent == .byThisClaim { next.row.sent = .earlier }
        next.row.hasBackedOff = true
        next.row.wasRefused = false
        next.row.isUnanswered = true
        if mayExist, state.row.step == .create {
            next.row.createStatus = .other
            // A worker that only stalled may send until now.
            if !rules.has(.takeOverDoesNotSettle) { next.row.isSettled = false }
        }
        next.row.admitsDoubt = false
        next.row.waitsToSettle = false
        next.endDoubtByEvidence(rules)
        add(.takeOver(next.row.state, next.row.step), next)
    }
}
