/// One line of a real job's history, as the views `attempts` and `transitions` tell it, in the order of commits.
package enum JobEvent: Hashable {
    case enqueued(RowState)
    /// The job waited for has completed.
    case unblocked
    /// A claim, and what was done under it (`attempts.step`).
    case claimed(token: Int, step: CallStep = .create)
    /// A create was marked or handed over.
    case sent(token: Int)
    /// An attempt's end, and what the next claim does if there is one.
    case finished(token: Int, AttemptOutcome, next: RowState, then: CallStep = .create)
    /// A take-over, and what was to be done (`attempts.step` of the lost attempt).
    case takenOver(token: Int, step: CallStep = .create, next: RowState)
    /// The effect horizon of all that was sent so far is over.
    case horizonPassed
    /// A `late` row of the journal: whether it proves the record, and whether its call may have had an effect.
    case lateEvidence(token: Int, proves: Bool, reached: Bool)
    /// Late evidence ended the doubt.
    case provedLate
    /// `report_status` ended the waiting, or the polling did.
    case decided(next: RowState)
    case cancelRequested
    case cancelled
    case expired
    case resolved(happened: Bool, next: RowState)
    case retried
}
