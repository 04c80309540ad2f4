/// `jobs.first_sent_at`, as far as it matters: it is only ever compared with `claimed_at`.
enum SentMark: UInt8, Hashable {
    /// Null: nothing that may have arrived was sent under the present key.
    case none
    /// Set by the present claim or its mark.
    case byThisClaim
    /// Set by an earlier claim.
    case earlier
}
