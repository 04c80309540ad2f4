/// How an attempt ended (design, section 4, and `not_found`); `lost` is a take-over here.
package enum AttemptOutcome: String, Hashable, CaseIterable {
    case succeeded, adopted, notFound, rejected, invalidPayload, unauthorized, throttled, unavailable, notSent
    case ambiguous

    /// Whether a create that ended so must have been sent.
    var needsSend: Bool {
        switch self {
        case .succeeded, .ambiguous, .unavailable, .throttled, .unauthorized: true
        case .adopted, .notFound, .rejected, .invalidPayload, .notSent: false
        }
    }
    /// Whether a create that ended so may have had its effect unseen.
    var leavesDoubt: Bool { self == .unavailable || self == .ambiguous }
}
