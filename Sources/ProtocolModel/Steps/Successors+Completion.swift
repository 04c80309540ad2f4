extension Successors {
    /// `complete` of migration 0004: fenced by the token; what comes too late is evidence.
    mutating func complete(_ name: WorkerName) {
        guard let ending = state[name].ending else { return }
        var next = state
        next[name] = WorkerState()
        let isFenced = !(state[name].holdsToken && state.row.state == .running)
        if isFenced, !rules.has(.unfencedCompletion) {
            if ending.hasID { next.takeEvidence(rules) }
            if ending.isUnanswered { next.row.isUnanswered = true }
            add(.completeLate(name), next)
            return
        }
        if rules.has(.lostCallTakenBack), ending.reached, !ending.hasID {
            var taken = ending
            taken.reached = false
            next.write(taken, by: state[name].facts.plan, rules)
        } else {
            next.write(ending, by: state[name].facts.plan, rules)
        }
        add(.complete(name, next.row.state), next)
    }
}

extension ModelState {
    fileprivate mutating func write(_ ending: Ending, by plan: AttemptPlan, _ rules: Rules) {
        let (after, nextStep) = afterCancel(ending, rules)
        let wasCreate = row.step == .create
        if wasCreate, !ending.counts, row.attempt > 0 { row.attempt -= 1 }
        // A call that cannot have arrived takes back what its claim assumed.
        let isTakenBack = !ending.reached && wasCreate && row.sent == .byThisClaim
        row.doubt = after == .uncertain ? ending.doubt ?? .cancelled : nil
        row.step = nextStep
        if ending.next == .available { row.hasBackedOff = true }
        if ending.keyUse != .same || isTakenBack { forgetSend() }
        if row.sent == .byThisClaim { row.sent = .earlier }
        row.state = after
        if wasCreate { row.createStatus = ending.status }
        if ending.keyUse != .same { row.createStatus = .other }
        if ending.keyUse == .new, after == .available { replaceKey() }
        row.waitsToSettle = ending.waitsToSettle && after == .available
        if ending.waitsToSettle, !ending.isNotFound { row.isSettled = false }
        row.wasRefused = ending.isRefusal
        if ending.isUnanswered || plan == .giveUp { row.isUnanswered = true }
        if ending.isNotFound { row.isUnanswered = false }
        row.admitsDoubt = false
        if ending.hasID {
            wasProved = true
            if !rules.has(.completedWithoutID) { row.hasProviderID = true }
        }
        endDoubtByEvidence(rules)
    }

    /// `after_cancel`: what a wish to cancel makes of it.
    private func afterCancel(_ ending: Ending, _ rules: Rules) -> (RowState, CallStep) {
        let unheard = (ending.next, ending.step)
        guard row.cancelRequested else { return unheard }
        if ending.next == .failed { return (.cancelled, .create) }
        guard ending.next == .available else { return unheard }
        if ending.isNotFound, ending.step == .create || rules.has(.cancelTrustsEarlyLookUp) {
            return (.cancelled, .create)
        }
        guard ending.step == .create else { return unheard }
        if row.sent == .none || (row.sent == .byThisClaim && !ending.reached) { return (.cancelled, .create) }
        if rules.has(.cancelSendsAgain) { return unheard }
        return rules.policy.canLookUp ? (.available, .lookUp) : (.uncertain, .create)
    }

    /// `settle_late_successes`, and the journal's late row.
    fileprivate mutating func takeEvidence(_ rules: Rules) {
        wasProved = true
        if rules.has(.lateEvidenceDropped) { return }
        row.hasEvidence = true
        if row.state == .uncertain || (rules.has(.lateEvidenceOverridesEnd) && row.state != .running) {
            row.state = .completed
            row.hasProviderID = true
            row.doubt = nil
        }
    }

    /// The mended form: evidence that was there before the doubt ends it too.
    mutating func endDoubtByEvidence(_ rules: Rules) {
        guard row.state == .uncertain, row.hasEvidence, !rules.has(.doubtDespiteEvidence) else { return }
        row.state = .completed
        row.hasProviderID = true
        row.doubt = nil
    }
}
