extension Successors {
    /// What people do, by the functions of migration 0005, and `expire_jobs`.
    mutating func operate() {
        switch state.row.state {
        case .available:
            cancelAvailable()
            expire()
        case .running where !state.row.cancelRequested:
            var next = state
            next.row.cancelRequested = true
            add(.cancel(.running), next)
        case .uncertain: resolve()
        case .failed, .cancelled:
            guard state.rounds < rules.maxRounds else { return }
            retry(corrected: false)
            retry(corrected: true)
        case .running, .completed, .blocked, .waiting: return
        }
    }

    private mutating func cancelAvailable() {
        var next = state
        next.row.cancelRequested = true
        if state.row.sent != .none, policy.canLookUp, !rules.has(.cancelForgetsSend) {
            if state.row.cancelRequested, state.row.step == .lookUp { return }
            next.row.step = .lookUp
            // Asked for at once.
            next.row.waitsToSettle = false
        } else {
            next.row.state = .cancelled
            next.row.admitsDoubt = state.row.sent != .none && !rules.has(.cancelForgetsSend)
        }
        add(.cancel(next.row.state), next)
    }

    /// `expire_jobs`: what may exist is looked up first.
    private mutating func expire() {
        guard state.row.step == .create else { return }
        var next = state
        if state.row.sent == .none {
            next.row.state = .failed
        } else {
            next.row.step = .lookUp
            next.row.waitsToSettle = false
            next.row.isExpired = true
        }
        add(.expire(next.row.state), next)
    }

    /// Only true verdicts; how far ahead they are true is an assumption.
    private mutating func resolve() {
        var next = state
        next.row.doubt = nil
        if state.provider.effects > 0 {
            next.row.state = .completed
            next.row.hasProviderID = true
            add(.resolveHappened, next)
            return
        }
        guard state.rounds < rules.maxRounds else { return }
        let mayHappen = state.provider.hasStrays || state.aCallMayLand
        if mayHappen, rules.assumes(.verdictHoldsForGood) { return }
        next.rounds += 1
        next.row.state = state.row.cancelRequested ? .cancelled : .available
        next.row.step = .create
        next.row.hasBackedOff = false
        next.row.admitsDoubt = false
        next.row.waitsToSettle = false
        next.row.isExpired = false
        next.row.createStatus = .other
        next.row.attempt = min(state.row.attempt, rules.maxAttempts - 1)
        next.forgetSend()
        if policy.hasKey { next.replaceKey() }
        add(.resolveDidNotHappen(next.row.state), next)
    }

    private mutating func retry(corrected: Bool) {
        // Journal: an end without an answer that no "nothing found" follows.
        let mayExist = state.row.sent != .none && state.row.isUnanswered
        if mayExist, policy == .neither { return }
        if mayExist, corrected, !rules.has(.correctionForgetsTheSend) { return }
        var next = state
        next.rounds += 1
        if corrected {
            // Refused bodies stay refused; of the new one nothing is known.
            if state.provider.opinion == .refuses { next.provider.refusedKeys = 1 << (state.row.key + 1) - 1 }
            next.provider.opinion = .none
        }
        if corrected || (state.row.wasRefused && policy.hasKey) { next.replaceKey() }
        next.row.state = .available
        next.row.attempt = 0
        next.row.hasBackedOff = false
        next.row.cancelRequested = false
        next.row.admitsDoubt = false
        next.row.waitsToSettle = false
        next.row.isExpired = false
        next.row.createStatus = .other
        next.row.step = mayExist && policy.canLookUp ? .lookUp : .create
        if !mayExist { next.forgetSend() }
        add(.retry(corrected: corrected), next)
    }
}
