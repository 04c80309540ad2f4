/// The job's row and what the journal adds to it. Times are not numbers here but the answers to the only
/// questions that the protocol asks of them.
struct JobRow: Hashable {
    var state: RowState = .available
    var step: CallStep = .create
    /// `attempt`: counted creates.
    var attempt: UInt8 = 0
    /// `last_sent_at`; of a job that has ended, a late call without an answer in the journal.
    var sent: SentMark = .none
    /// `last_sent_at` is longer ago than the effect horizon.
    var isPastHorizon = false
    /// `marked_at` is of the present claim.
    var isMarked = false
    /// `first_sent_at` is not null.
    var keyIsUsed = false
    /// The first use of the key is longer ago than its life without its margin.
    var keyIsOld = false
    /// `idempotency_key`, numbered.
    var key: UInt8 = 0
    /// `last_create_status`.
    var createStatus = CreateStatus.other
    /// `expires_at` has passed.
    var isExpired = false
    /// `cancel_requested_at` is not null.
    var cancelRequested = false
    /// `provider_id` is not null.
    var hasProviderID = false
    /// The journal has a late row with a provider's id.
    var hasEvidence = false
    /// Ghost: a fenced-out worker's call without an answer ended, and no claim since has proved that nothing came of it.
    var lateSend = false
    /// Why it is uncertain, when it is.
    var doubt: Doubt?

    /// What stands in the row, without what late evidence may add: nothing else may be changed by an old token.
    var withoutEvidence: JobRow {
        var row = self
        row.hasEvidence = false
        row.lateSend = false
        row.sent = .none
        row.keyIsUsed = false
        row.isPastHorizon = false
        return row
    }
}
