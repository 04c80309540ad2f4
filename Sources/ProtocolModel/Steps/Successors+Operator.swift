extension Successors {
    /// What people do, and `expire_jobs`.
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

    /// What may exist is left to the next claim.
    private mutating func cancelAvailable() {
        var next = state
        next.row.cancelRequested = true
        if state.row.sent == .none || rules.has(.cancelForgetsSend) {
            next.row.state = .cancelled
        } else if state.row.cancelRequested {
            return
        }
        add(.cancel(next.row.state), next)
    }

    /// What may exist is left to the next claim.
    private mutating func expire() {
        guard !state.row.isExpired else { return }
        var next = state
        next.row.isExpired = true
        if state.row.sent == .none { next.row.state = .failed }
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
        if state.effectMayCome, rules.assumes(.verdictHoldsForGood) { return }
        next.rounds += 1
        next.row.state = state.row.cancelRequested ? .cancelled : .available
        // Looked for once more where that is possible.
        next.row.step = policy == .neither ? .create : .lookUp
        next.row.isExpired = false
        next.row.createStatus = .other
        next.row.attempt = min(state.row.attempt, rules.maxAttempts - 1)
        next.forgetSend()
        next.row.lateSend = false
        if policy.hasKey { next.replaceKey() }
        add(.resolveDidNotHappen(next.row.state), next)
    }

    /// What has ended so is not in doubt, and a new key and another body can do no harm; unless the journal has a call
    /// without an answer that ended later (`may_exist`).
    private mutating func retry(corrected: Bool) {
        let mayExist = state.row.sent != .none
        if mayExist, corrected || policy == .neither { return }
        var next = state
        next.rounds += 1
        if corrected, policy.hasKey { next.replaceKey() }
        next.row.state = .available
        next.row.step = mayExist ? .lookUp : .create
        next.row.attempt = 0
        next.row.cancelRequested = false
        next.row.isExpired = false
        next.row.createStatus = .other
        add(.retry(corrected: corrected), next)
    }
}
