/// What must hold in every state, on every step, or from every state on.
enum Invariant: String, CaseIterable, Hashable {
    /// Promise 2. What it rests on is in `Assumption`.
    case effectAtMostOnce = "at most one effect"
    /// Promise 3: a completed job has its one record and the record's id.
    case completedHasRecord = "completed means one effect and its id"
    /// A job that failed or was cancelled left nothing at the provider.
    case absenceIsTrue = "failed or cancelled means no record"
    /// Design, section 4: no job ends so, and no key is replaced, while a request may still have its effect.
    case endWaitsForHorizon = "no failed or cancelled end and no new key while an effect may come"
    /// A job is left to a person only where neither key nor look-up could tell.
    case doubtIsEarned = "uncertain only where nothing can tell"
    /// A job whose record was proved is not left to a person.
    case proofEndsDoubt = "a proved record ends the doubt"
    /// Promise 4: a worker that lost its claim changes nothing but the journal; its proof may end a doubt.
    case oldTokenWritesNothing = "an old token writes nothing"
    /// Design, section 3.2.
    case transitionsAreLegal = "legal changes of state only"
    /// After a wish to cancel nothing that creates is sent: not for a claim made after it, nor with a mark.
    case cancelStopsSending = "no create is sent or marked after a wish to cancel"
    /// `max_attempts` bounds the creates that are sent.
    case attemptsAreBounded = "no create is sent for a claim made after the last attempt"
    /// What was proved is not sent for again.
    case proofStopsSending = "no create is sent for a claim made after a proof"
    /// What a fenced-out worker may have sent is looked up before anything else is sent.
    case lateSendStopsSending = "no create is sent for a claim made after a late call without an answer"
    /// Promise 1: without further faults every job ends, or waits for a person.
    case jobIsNeverLost = "from everywhere an end is in reach"
}

extension Invariant {
    /// The one that `state` breaks by itself.
    static func broken(in state: ModelState, _ rules: Rules) -> Invariant? {
        let row = state.row
        if state.provider.effects > 1 { return .effectAtMostOnce }
        switch row.state {
        case .completed:
            if state.provider.effects != 1 || !row.hasProviderID { return .completedHasRecord }
        case .failed, .cancelled:
            if state.provider.effects > 0 { return .absenceIsTrue }
            if state.effectMayCome, rules.assumes(.verdictHoldsForGood) { return .endWaitsForHorizon }
        case .uncertain:
            if state.wasProved { return .proofEndsDoubt }
            if row.doubt?.isEarned(under: rules.policy) != true { return .doubtIsEarned }
        case .available, .running, .blocked, .waiting: break
        }
        return nil
    }

    /// The one that the step from `state` to `next` breaks.
    static func broken(by event: Event, from state: ModelState, to next: ModelState, _ rules: Rules) -> Invariant? {
        if let writer = event.writer, !state[writer].isCurrent, state.row.withoutEvidence != next.row.withoutEvidence {
            let endsDoubt =
                state.row.state == .uncertain && next.row.state == .completed && next.row.hasProviderID
                && state[writer].ending?.hasID == true
            if !endsDoubt, state.row.state.mayBecome(next.row.state) { return .oldTokenWritesNothing }
        }
        if !state.row.state.mayBecome(next.row.state) { return .transitionsAreLegal }
        switch event {
        case .mark where state.row.cancelRequested: return .cancelStopsSending
        case .send(let name):
            let facts = state[name].facts
            if facts.wasProved { return .proofStopsSending }
            if facts.hadNoAttemptLeft { return .attemptsAreBounded }
            if facts.isCancelled { return .cancelStopsSending }
            if facts.hadLateSend, !rules.policy.hasKey { return .lateSendStopsSending }
        default: break
        }
        return nil
    }
}
