/// How one attempt ended, spelt as in `onboarding.attempts.outcome`.
package enum Outcome: String, Sendable, CaseIterable {
    /// A 2xx answer with a readable id.
    case succeeded
    /// A look-up, or a fenced-out worker's late answer, proved the record.
    case adopted
    /// A look-up proved that there is no such record: nothing was created so far.
    case notFound = "not_found"
    /// A definite refusal.
    case rejected
    /// The payload breaks its contract; nothing was sent.
    case invalidPayload = "invalid_payload"
    /// The credentials were refused.
    case unauthorized
    /// The provider asks for patience.
    case throttled
    /// The provider did not answer properly, and sending again is safe.
    case unavailable
    /// No byte left this machine.
    case notSent = "not_sent"
    /// The request may have arrived and sending again is not safe.
    case ambiguous
    /// The worker died holding the job.
    case lost
}
