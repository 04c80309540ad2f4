/// The job's row and what the journal adds to it. Times are not numbers here but the answers to the only
/// questions that the protocol asks of them.
struct JobRow: Hashable {
    var state: RowState = .available
    var step: CallStep = .create
    /// `attempt`: counted creates.
    var attempt: UInt8 = 0
    /// `first_sent_at`.
    var sent: SentMark = .none
    /// `last_sent_at` is longer ago than the settle time.
    var isSettled = false
    /// `run_at` is the end of the settle time.
    var waitsToSettle = false
    /// `first_sent_at` is longer ago than the key's life without its margin.
    var keyIsOld = false
    /// `idempotency_key`, numbered.
    var key: UInt8 = 0
    /// `last_create_status`.
    var createStatus = CreateStatus.other
    /// `last_outcome` is `rejected`.
    var wasRefused = false
    /// The journal has an end without an answer that is newer than the last "nothing found".
    var isUnanswered = false
    /// `expires_at` has passed: it is looked up, and nothing more is sent.
    var isExpired = false
    /// `backoff_step` is above 0.
    var hasBackedOff = false
    /// `cancel_requested_at` is not null.
    var cancelRequested = false
    /// `provider_id` is not null.
    var hasProviderID = false
    /// The journal has a late row with a provider's id.
    var hasEvidence = false
    /// `last_error` says that an earlier request may have arrived.
    var admitsDoubt = false
    /// Why it is uncertain, when it is.
    var doubt: Doubt?

    /// What stands in the row, without the journal: nothing else may be changed by an old token.
    var withoutJournal: JobRow {
        var row = self
        row.hasEvidence = false
        return row
    }
}
