extension Successors {
    /// `take_over` returns the job; what is to be done is for the worker that claims it next.
    mutating func takeOver() {
        guard state.row.state == .running, let owner = state.owner, !rules.has(.noTakeOver) else { return }
        guard state[owner].lease == .passed || rules.has(.takeOverBeforeLeaseEnds) else { return }
        var next = state
        next[owner].isCurrent = false
        if state[owner].phase == .dead { next[owner] = WorkerState() }
        next.row.state = .available
        // Under a key the claim alone is taken for a send, whatever the row says is to be done: what is to be looked up and
        // cannot be is sent again.
        let isSent =
            state.row.isMarked || (policy.hasKey && (state.row.step == .create || !rules.has(.lostLookUpIsNoSend)))
        next.row.isMarked = false
        if isSent, !rules.has(.takeOverForgetsSend) {
            next.row.sent = .earlier
            next.row.keyIsUsed = true
            next.row.createStatus = .other
            // A worker that only stalled may have sent until now.
            if !rules.has(.takeOverKeepsHorizon) { next.row.isPastHorizon = false }
        } else if state.row.step == .create {
            next.row.attempt -= 1
        }
        if !next.row.keyIsUsed { next.row.keyIsOld = false }
        add(.takeOver, next)
    }
}
