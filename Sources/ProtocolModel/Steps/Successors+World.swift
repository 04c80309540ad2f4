extension Successors {
    /// What nobody waits for arrives, or does not.
    mutating func provide() {
        guard state.provider.hasStrays else { return }
        for key in 0...state.row.key where state.provider.hasStray(under: key) {
            var next = state
            next.provider.removeStray(under: key)
            add(.strayIsLost(key), next)
            next.provider.apply(key, rules)
            add(.strayLands(key), next)
        }
    }

    /// Time, as far as the protocol asks for it.
    mutating func passTime() {
        let isAsked = state.row.state == .available || state.row.state == .running
        if isAsked, state.row.sent != .none, !state.row.isPastHorizon, horizonMayPass {
            var next = state
            next.row.isPastHorizon = true
            add(.horizonPasses, next)
        }
        guard policy.hasKey else { return }
        let isInUse = state.row.keyIsUsed || state.row.state == .running
        let ages = isInUse && !state.row.keyIsOld
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

    /// The horizon may pass during the present call, and counts anew after it. For what was sent before, it is over when
    /// nothing of it can have its effect any more, nor be sent by a worker that lost the job.
    private var horizonMayPass: Bool {
        if rules.assumes(.landsWithinHorizon), state.provider.hasStrays { return false }
        return WorkerName.allCases.allSatisfy { name in
            state[name].isCurrent || !state[name].maySend || rules.has(.horizonIsShorterThanACall)
                || !rules.assumes(.landsWithinHorizon)
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
        let isAsked = worker.phase == .claimed || worker.phase == .marked || worker.phase == .sending
        guard worker.lease == .trusted, worker.isCurrent || isAsked else { return }
        var next = state
        next[name].lease = .passed
        add(.leasePasses(name), next)
    }
}
