extension Successors {
    /// The way to a send: the mark where there is one (`mark_sent`, fenced and under a lease), else nothing.
    mutating func prepare(_ name: WorkerName) {
        guard policy.marksBeforeSend, !rules.has(.noMarkBeforeSend) else {
            send(name)
            return
        }
        var next = state
        let isFenced = !(state[name].holdsToken && state.row.state == .running)
        if !rules.has(.unfencedMark), isFenced || state[name].lease == .passed {
            next[name].phase = .answered
            next[name].ending = .notSent
            add(.markRefused(name), next)
            return
        }
        if next.row.sent == .none { next.row.sent = .byThisClaim }
        next.row.isSettled = false
        next[name].phase = .marked
        add(.mark(name), next)
    }

    /// `LeaseTrust.holds` is the last thing before the request is handed over.
    mutating func send(_ name: WorkerName) {
        var next = state
        if state[name].lease == .trusted || rules.has(.noLeaseCheck) {
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
        for answer in Answer.allCases where state.provider.mayGive(answer, to: facts, rules) {
            var next = state
            if answer.isEffect { next.provider.apply(facts.key, rules) }
            if answer == .refused, !state.provider.refuses(facts.key) { next.provider.opinion = .refuses }
            next[name].phase = .answered
            next[name].ending = AttemptDecision(facts: facts, rules: rules).ending(of: answer)
            add(.answer(name, answer), next)
        }
        var next = state
        next[name].phase = .answered
        next[name].ending = .notSent
        add(.connectFails(name), next)
        next.provider.addStray(under: facts.key)
        next[name].ending = AttemptDecision(facts: facts, rules: rules).endingWithoutAnswer()
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
