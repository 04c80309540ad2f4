/// One line of a real job's history, as the views `attempts` and `transitions` tell it, in the order of commits.
package enum JobEvent: Hashable {
    case enqueued(RowState)
    /// The job waited for has completed.
    case unblocked
    /// A claim, and what was done under it (`attempts.step`; of one that was lost, what was to be done).
    case claimed(token: Int, step: CallStep = .create)
    /// The mark before a send; only where the policy asks for one.
    case sent(token: Int)
    case finished(token: Int, AttemptOutcome, next: RowState)
    case takenOver(token: Int, next: RowState)
    /// A `late` row of the journal.
    case lateEvidence(token: Int, proves: Bool)
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
