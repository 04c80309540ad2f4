extension ModelState {
    /// The state without what nobody will ask for again, so that states which cannot be told apart are one.
    func normal(_ rules: Rules) -> ModelState {
        var state = self
        state.row.normalize(rules, isLastRound: rounds >= rules.maxRounds)
        for name in WorkerName.allCases { state[name].normalize(rules, currentKey: row.key) }
        while state.row.key > 0, !state.isInUse(0) { state.dropOldestKey() }
        let before = state
        state.provider.forgetKeys { $0 != before.row.key && !before.isInUse($0) }
        if row.state.isFinal, row.state == .completed || rounds >= rules.maxRounds, rules.fencesForGood {
            state.endForGood()
        }
        return state
    }
}

extension ModelState {
    /// Whether anything may yet be sent or land under `key`.
    private func isInUse(_ key: UInt8) -> Bool {
        provider.hasStray(under: key) || WorkerName.allCases.contains { self[$0].usesKey && self[$0].facts.key == key }
    }

    /// Numbers the keys anew, without the oldest, which is done with.
    private mutating func dropOldestKey() {
        row.key -= 1
        provider.dropOldestKey()
        for name in WorkerName.allCases where self[name].usesKey { self[name].facts.key -= 1 }
    }

    /// A job that nobody can bring back: all that can still come is what was sent for it.
    private mutating func endForGood() {
        for name in WorkerName.allCases {
            if self[name].phase == .sent { provider.addStray(under: self[name].facts.key) }
            self[name] = WorkerState()
        }
        row.hasEvidence = false
        if row.state == .completed { rounds = 0 }
        if !provider.hasStrays { provider = ProviderState(effects: provider.effects) }
    }
}

extension JobRow {
    fileprivate mutating func normalize(_ rules: Rules, isLastRound: Bool) {
        let policy = rules.policy
        if !policy.canLookUp { isSettled = false }
        if isSettled || !policy.canLookUp { waitsToSettle = false }
        if !policy.canLookUp || state == .uncertain { createStatus = .other }
        if !policy.hasKey, createStatus == .error { createStatus = .other }
        if !rules.has(.evidenceOnlyAfterBackoff) { hasBackedOff = false }
        if isLastRound { (wasRefused, isUnanswered) = (false, false) }
        guard state.isFinal else { return }
        var final = JobRow(state: state, key: key, hasProviderID: hasProviderID, hasEvidence: hasEvidence)
        final.admitsDoubt = admitsDoubt
        if state != .completed, !isLastRound {
            final.sent = sent
            final.isSettled = isSettled
            final.keyIsOld = keyIsOld
            final.wasRefused = wasRefused
            final.isUnanswered = isUnanswered
        }
        self = final
    }
}

extension WorkerState {
    /// Whether a create under `facts.key` is on its way or still to be sent.
    fileprivate var usesKey: Bool {
        facts.plan == .create && (phase == .claimed || phase == .marked || phase == .sent)
    }

    fileprivate mutating func normalize(_ rules: Rules, currentKey: UInt8) {
        let isFencedForGood = !isCurrent && rules.fencesForGood
        switch phase {
        case .idle: self = WorkerState()
        case .claimed, .marked:
            if facts.plan == .lookUp { facts = facts.forLookUp } else { facts = facts.forCreate }
            if facts.plan == .lookUp, isFencedForGood {
                facts = ClaimedFacts(plan: .lookUp)
                lease = .passed
            }
            if facts.plan == .create, lease == .passed, rules.heedsLease { facts = ClaimedFacts(key: currentKey) }
        case .sent:
            facts = facts.forAnswer
            if isFencedForGood { facts = ClaimedFacts(key: facts.key) }
            if !isCurrent { lease = .passed }
        case .answered:
            facts = ClaimedFacts(plan: facts.plan)
            if isFencedForGood, let ending {
                facts = ClaimedFacts()
                self.ending = Ending(next: .available, hasID: ending.hasID)
            }
            if !isCurrent { lease = .passed }
        case .dead: facts = ClaimedFacts()
        }
    }
}

extension ClaimedFacts {
    fileprivate var forLookUp: ClaimedFacts {
        var facts = self
        facts.key = 0
        facts.wasSentBefore = false
        facts.hadNoAttemptLeft = false
        facts.cancelWasRequested = false
        facts.wasProved = false
        return facts
    }

    fileprivate var forCreate: ClaimedFacts {
        var facts = self
        facts.wasSentBefore = false
        facts.isSettled = false
        facts.keyIsOld = false
        return facts
    }

    fileprivate var forAnswer: ClaimedFacts {
        ClaimedFacts(key: key, attemptsAreUsedUp: attemptsAreUsedUp, createStatus: createStatus)
    }
}
