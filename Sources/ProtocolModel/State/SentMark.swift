/// `jobs.last_sent_at`, as far as it matters: whether an earlier request may have had its effect or may still have it, and
/// whether that is known since the present claim.
enum SentMark: UInt8, Hashable {
    /// Null: nothing was sent, or it is proved that nothing came of it.
    case none
    /// It was so when the present claim was made.
    case earlier
    /// A fenced-out worker said so since the present claim: what that claim learns does not cover it.
    case sinceClaim
}
