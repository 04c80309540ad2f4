extension Successors {
    /// The way to a send: the mark where there is one (`mark_sent`: fenced, under a lease, and not cancelled), else nothing.
    mutating func prepare(_ name: WorkerName) {
        guard policy.marksBeforeSend, !rules.has(.noMarkBeforeSend) else {
            send(name)
            return
        }
        var next = state
        let isFenced = !(state[name].holdsToken && state.row.state == .running)
        let isRefused = isFenced || state[name].lease == .passed
        let isCancelled = state.row.cancelRequested && !rules.has(.markIgnoresCancel)
        if isCancelled || (isRefused && !rules.has(.unfencedMark)) {
            next[name].phase = .answered
            next[name].ending = .notSent
            add(.markRefused(name), next)
            return
        }
        next.row.isMarked = true
        next[name].phase = .marked
        add(.mark(name), next)
    }

    /// `LeaseTrust.holds` is the last thing before a request is handed over, and again before its last piece is. A small
    /// request has one piece.
    mutating func send(_ name: WorkerName) {
        sendLastPiece(name, unless: !rules.has(.noLeaseCheck))
        guard state[name].lease == .trusted else { return }
        var next = state
        next[name].phase = .sending
        add(.beginBody(name), next)
    }

    /// The rest of a large body, unless the worker was frozen for too long; without it the request has no effect.
    mutating func sendRest(_ name: WorkerName) {
        sendLastPiece(name, unless: !rules.has(.frozenBodyGoesOn))
    }

    private mutating func sendLastPiece(_ name: WorkerName, unless heedsLease: Bool) {
        var next = state
        if state[name].lease == .trusted || !heedsLease {
            next[name].phase = .sent
            add(.send(name), next)
        } else {
            next[name].phase = .answered
            next[name].ending = .notSent
            add(.leaseCheckFails(name), next)
        }
    }

    /// The request lands and is answered, or nobody waits for it any more.
    mutating func answer(_ name: WorkerName) {
        let facts = state[name].facts
        let decision = AttemptDecision(facts: facts, rules: rules)
        for answer in Answer.allCases where state.provider.mayGive(answer, to: facts, rules) {
            var next = state
            if answer.isEffect { next.provider.apply(facts.key, rules) }
            if answer.leavesStray { next.provider.addStray(under: facts.key) }
            next[name].phase = .answered
            next[name].ending = decision.ending(of: answer)
            add(.answer(name, answer), next)
        }
        var next = state
        next[name].phase = .answered
        next[name].ending = .notSent
        add(.connectFails(name), next)
        next.provider.addStray(under: facts.key)
        next[name].ending = decision.endingWithoutAnswer()
        add(.timeout(name), next)
    }

    /// A look-up needs no lease to be harmless.
    mutating func lookUp(_ name: WorkerName) {
        for answer in LookUpAnswer.allCases {
            if answer == .found, state.provider.effects == 0 { continue }
            if answer == .notFound, state.provider.effects > 0 { continue }
            var next = state
            next[name].phase = .answered
            next[name].ending = AttemptDecision(facts: state[name].facts, rules: rules).ending(of: answer)
            add(.lookUp(name, answer), next)
        }
    }
}
