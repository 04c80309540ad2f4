extension Successors {
    /// What nobody waits for arrives, or does not.
    mutating func provide() {
        guard state.provider.hasStrays else { return }
        for key in 0...state.row.key where state.provider.hasStray(under: key) {
            var next = state
            next.provider.removeStray(under: key)
            add(.strayIsLost(key), next)
            guard state.provider.mayAccept(key, rules) else { continue }
            next.provider.apply(key, rules)
            add(.strayLands(key), next)
        }
    }

    /// Time, as far as the protocol asks for it.
    mutating func passTime() {
        if state.row.sent != .none, !state.row.isSettled, maySettle {
            var next = state
            next.row.isSettled = true
            add(.settlePasses, next)
        }
        guard policy.hasKey else { return }
        let ages = state.row.sent != .none && !state.row.keyIsOld
        let remembers = state.provider.remembers(state.row.key)
        if ages || (remembers && !state.provider.memoryIsOld) {
            var next = state
            if ages { next.row.keyIsOld = true }
            if remembers { next.provider.memoryIsOld = true }
            add(.lifePasses, next)
        }
        if state.provider.memoryIsOld, remembers, mayForget {
            var next = state
            next.provider.remembered &= ~(1 << state.row.key)
            next.provider.memoryIsOld = false
            add(.keyForgotten, next)
        }
    }

    /// The settle time may pass during the present call, and counts anew after it. For what was sent before, it
    /// is over when nothing can land any more; as it is written, a call of a worker that lost the job still may.
    private var maySettle: Bool {
        if rules.assumes(.landsWithinSettleTime), state.provider.hasStrays { return false }
        return WorkerName.allCases.allSatisfy { name in
            state[name].isCurrent || !state[name].maySend || rules.has(.settleIsShorterThanACall)
        }
    }

    private var mayForget: Bool {
        !rules.assumes(.landsBeforeKeyIsForgotten) || !state.maySend(under: state.row.key)
    }

    /// A process dies; what it had sent goes on without it. One that is fenced out has nothing else to lose:
    /// its end is like giving up.
    mutating func crash(_ name: WorkerName) {
        var next = state
        if state[name].phase == .sent { next.provider.addStray(under: state[name].facts.key) }
        var gone = WorkerState()
        if state[name].isCurrent, state.row.state == .running {
            gone.phase = .dead
            // Nothing waits for its end but the reaper.
            gone.lease = .passed
            gone.holdsToken = state[name].holdsToken
            gone.isCurrent = true
        }
        next[name] = gone
        add(.crash(name), next)
    }

    /// A lease ends. Once the claim is gone that only matters to who has not yet asked for it.
    mutating func endLease(_ name: WorkerName) {
        let worker = state[name]
        let isAsked = worker.phase == .claimed || worker.phase == .marked
        guard worker.lease == .trusted, worker.isCurrent || isAsked else { return }
        var next = state
        next[name].lease = .passed
        add(.leasePasses(name), next)
    }
}
