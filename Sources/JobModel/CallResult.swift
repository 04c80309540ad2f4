/// What one provider call told, already redacted: nothing in it comes from the payload.
package struct CallResult: Sendable, Equatable {
    /// How the call ended.
    package var outcome: Outcome
    /// Whether this call may have had its effect at the provider.
    package var mayHaveReached: Bool
    /// The HTTP status, when an answer came.
    package var httpStatus: Int?
    /// The provider's own id of the exchange (`trace_id`, `traceId`, `request_id`).
    package var requestID: String?
    /// The provider's id of the record.
    package var providerID: String?
    /// The provider's status of the record, as text.
    package var providerStatus: String?
    /// One redacted sentence on what went wrong.
    package var error: String?
    /// How long the provider asked to wait, already capped at 24 hours.
    package var retryAfter: Duration?
    /// Whether an answer came that cannot be read, so that asking again may never tell more.
    package var isUnreadable = false
    /// SHA-256 of the creating request that this call made: method, path, headers from parameters, content type, body.
    package var requestSHA256: [UInt8]?

    /// A result with what every call has; the rest is set where the answer had it.
    package init(_ outcome: Outcome, mayHaveReached: Bool, httpStatus: Int? = nil, error: String? = nil) {
        self.outcome = outcome
        self.mayHaveReached = mayHaveReached
        self.httpStatus = httpStatus
        self.error = error
    }
}
