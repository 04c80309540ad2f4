/// How an attempt ended, and `not_found`; `lost` is a take-over here.
package enum AttemptOutcome: String, Hashable, CaseIterable {
    case succeeded, adopted, notFound, rejected, invalidPayload, unauthorized, throttled, unavailable, notSent
    case ambiguous
    /// `throttled` with 503, which proves nothing.
    case busy

    /// Whether a create that ended so must have been sent.
    var needsSend: Bool { self == .succeeded || self == .unavailable }
    /// Whether a create that ended so may have had its effect unseen.
    package var leavesDoubt: Bool { self == .unavailable || self == .ambiguous || self == .busy }
}
