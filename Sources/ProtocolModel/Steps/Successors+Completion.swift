extension Successors {
    /// `complete`: fenced by the token; what comes too late is evidence.
    mutating func complete(_ name: WorkerName) {
        guard var ending = state[name].ending else { return }
        var next = state
        next[name] = WorkerState()
        let isFenced = !(state[name].holdsToken && state.row.state == .running)
        if isFenced, !rules.has(.unfencedCompletion) {
            next.keepLate(ending, rules)
            add(.completeLate(name), next)
            return
        }
        if rules.has(.lostCallTakenBack), !ending.hasID { ending.reached = false }
        next.write(ending, by: state[name].facts, rules)
        add(.complete(name, next.row.state), next)
    }
}

extension ModelState {
    fileprivate mutating func write(_ ending: Ending, by facts: ClaimedFacts, _ rules: Rules) {
        if row.step == .create, !ending.counts, row.attempt > 0 { row.attempt -= 1 }
        let isInDoubt =
            ending.provesAbsence ? row.sent == .sinceClaim : ending.reached || row.sent != .none
        if ending.provesAbsence, facts.hadLateSend { row.lateSend = false }
        row.state = stateAfter(ending.next, isInDoubt: isInDoubt && !rules.has(.endsInDoubt))
        row.doubt = row.state == .uncertain ? ending.doubt : nil
        row.step = ending.step
        row.isMarked = false
        if ending.reached {
            row.keyIsUsed = true
            if !rules.has(.horizonCountsFromTheClaim) { row.isPastHorizon = false }
        }
        if isInDoubt {
            row.sent = .earlier
        } else {
            forgetSend()
        }
        if facts.plan == .create, ending.outcome != .notSent { row.createStatus = ending.status }
        if ending.keyUse != .same {
            row.createStatus = .other
            row.keyIsUsed = false
            if ending.keyUse == .new, row.state == .available { replaceKey() }
        }
        if !row.keyIsUsed { row.keyIsOld = false }
        if ending.hasID {
            wasProved = true
            if !rules.has(.completedWithoutID) { row.hasProviderID = true }
        }
        if !rules.has(.doubtDespiteEvidence) { endDoubtByEvidence() }
    }

    /// `state_after`: a job in doubt fails or is cancelled only once the doubt is over; its next claim finds out.
    private func stateAfter(_ wanted: RowState, isInDoubt: Bool) -> RowState {
        if wanted == .completed || wanted == .uncertain { return wanted }
        if isInDoubt { return .available }
        return row.cancelRequested ? .cancelled : wanted
    }

    /// `keep_late` and `settle_late_successes`: a late success ends the doubt, a call without an answer renews it.
    fileprivate mutating func keepLate(_ ending: Ending, _ rules: Rules) {
        if ending.reached, row.state != .completed {
            row.lateSend = !row.state.isFinal
            if !rules.has(.lateSendForgotten) {
                row.sent = row.state == .running ? .sinceClaim : .earlier
                row.isPastHorizon = false
                row.keyIsUsed = true
            }
        }
        guard ending.hasID else { return }
        wasProved = true
        if rules.has(.lateEvidenceDropped) { return }
        row.hasEvidence = true
        if rules.has(.lateEvidenceOverridesEnd), row.state != .running { row.state = .uncertain }
        endDoubtByEvidence()
    }

    private mutating func endDoubtByEvidence() {
        guard row.state == .uncertain, row.hasEvidence else { return }
        row.state = .completed
        row.hasProviderID = true
        row.doubt = nil
    }
}
