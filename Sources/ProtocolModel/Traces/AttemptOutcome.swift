/// How an attempt ended (design, section 4, and `not_found`); `lost` is a take-over here.
package enum AttemptOutcome: String, Hashable, CaseIterable {
    case succeeded, adopted, notFound, rejected, invalidPayload, unauthorized, throttled, unavailable, notSent
    case ambiguous

    /// Whether a create must have been sent for it.
    var needsSend: Bool {
        switch self {
        case .succeeded, .ambiguous, .throttled, .unauthorized: true
        case .adopted, .notFound, .rejected, .invalidPayload, .unavailable, .notSent: false
        }
    }
}
