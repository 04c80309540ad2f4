extension ModelState {
    /// The state without what nobody will ask for again, so that states which cannot be told apart are one.
    func normal(_ rules: Rules) -> ModelState {
        var state = self
        state.row.normalize(rules)
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
    fileprivate mutating func normalize(_ rules: Rules) {
        let policy = rules.policy
        if state != .running { isMarked = false }
        if !policy.hasKey { (keyIsUsed, keyIsOld) = (false, false) }
        if state == .completed { sent = .none }
        if policy == .neither || sent == .none || state == .uncertain { isPastHorizon = false }
        if !policy.canLookUp || state == .uncertain { createStatus = .other }
        if !policy.hasKey, createStatus == .error { createStatus = .other }
        if createStatus == .conflict, attempt > 1 { createStatus = .other }
        // A cancel forbids all that an expiry does.
        if cancelRequested { isExpired = false }
        if rules.assumes(.landsWithinHorizon) { lateSend = false }
        guard state.isFinal else { return }
        self = JobRow(
            state: state, sent: sent, keyIsUsed: keyIsUsed, keyIsOld: keyIsOld, key: key, hasProviderID: hasProviderID,
            hasEvidence: hasEvidence, lateSend: lateSend)
    }
}

extension WorkerState {
    /// Whether a create under `facts.key` is on its way or still to be sent.
    fileprivate var usesKey: Bool {
        facts.plan == .create && (phase == .claimed || phase == .marked || phase == .sending || phase == .sent)
    }

    fileprivate mutating func normalize(_ rules: Rules, currentKey: UInt8) {
        let isFencedForGood = !isCurrent && rules.fencesForGood
        // With its lease check before it, a last piece is like a whole request that is not begun.
        if phase == .sending, rules.heedsLease(in: .sending), rules.heedsLease(in: .claimed) {
            phase = rules.policy.marksBeforeSend ? .marked : .claimed
        }
        switch phase {
        case .idle: self = WorkerState()
        case .claimed, .marked, .sending:
            if facts.plan == .lookUp { facts = facts.forLookUp } else { facts = facts.forCreate }
            if facts.plan == .lookUp, isFencedForGood {
                facts = ClaimedFacts(plan: .lookUp)
                lease = .passed
            }
            if facts.plan == .create, lease == .passed, rules.heedsLease(in: phase) {
                // It will send nothing, and nobody will ask what it wanted to.
                if isFencedForGood { self = WorkerState() } else { facts = ClaimedFacts(key: currentKey) }
            }
        case .sent:
            facts = facts.forAnswer
            if isFencedForGood { facts = ClaimedFacts(key: facts.key) }
            if !isCurrent { lease = .passed }
        case .answered:
            facts = ClaimedFacts(plan: facts.plan, hadLateSend: facts.hadLateSend)
            if !isCurrent { lease = .passed }
            guard isFencedForGood, let ending else { return }
            self = WorkerState()
            guard ending.hasID || ending.reached else { return }
            phase = .answered
            lease = .passed
            self.ending = ending.asLateEvidence
        case .dead: facts = ClaimedFacts()
        }
    }
}

extension Ending {
    /// What is kept of it when it comes too late.
    fileprivate var asLateEvidence: Ending {
        Ending(outcome: hasID ? .adopted : .unavailable, next: .available, reached: reached)
    }
}

extension ClaimedFacts {
    fileprivate var forLookUp: ClaimedFacts {
        var facts = self
        facts.key = 0
        facts.isInDoubt = isInDoubt && !isPastHorizon
        facts.isPastHorizon = false
        facts.hadNoAttemptLeft = false
        facts.wasProved = false
        return facts
    }

    fileprivate var forCreate: ClaimedFacts {
        var facts = self
        facts.isExpired = false
        facts.isFirstAttempt = false
        return facts
    }

    /// What the decision asks for. A claim without doubt brings no age of a send.
    fileprivate var forAnswer: ClaimedFacts {
        var facts = ClaimedFacts(key: key, isInDoubt: isInDoubt, isPastHorizon: isInDoubt && isPastHorizon)
        facts.keyIsOld = keyIsOld
        facts.attemptsAreUsedUp = attemptsAreUsedUp
        facts.createStatus = createStatus
        facts.hadLateSend = hadLateSend
        return facts
    }
}
