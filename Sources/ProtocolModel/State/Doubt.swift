/// Why a job is uncertain.
enum Doubt: UInt8, Hashable {
    /// An answer was lost and nothing can tell what it was.
    case lostAnswer
    /// The last attempt's answer was lost and the provider cannot be asked.
    case attemptsUsedUp
    /// The key protects no more and the provider cannot be asked.
    case keyTooOld
    /// The provider refused the look-up, showed a record that may be another's, or told nothing for too long.
    case lookUpsTellNothing
    /// `expires_at` passed before it was known.
    case expired
    /// It is to be cancelled, may exist and cannot be looked up.
    case cancelled

    /// Where a job may end in this doubt. Only a provider that has neither key nor look-up may answer a single
    /// lost answer with doubt; elsewhere doubt is the last resort.
    func isEarned(under policy: Policy) -> Bool {
        switch self {
        case .lostAnswer: policy == .neither
        case .attemptsUsedUp, .cancelled: !policy.canLookUp
        case .keyTooOld: policy == .keyedBlind
        case .lookUpsTellNothing: policy.canLookUp
        case .expired: true
        }
    }
}
