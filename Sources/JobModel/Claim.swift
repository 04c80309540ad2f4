/// One claimed job: everything that the attempt needs, as it was when the claim committed.
///
/// All ages are measured on the database's clock at the time of the claim.
package struct Claim: Sendable {
    /// What a fenced-out worker learnt about the job and left in the journal.
    package struct Evidence: Sendable, Equatable {
        /// The provider's id of the record that the late answer proved.
        package let providerID: String
        /// The provider's status of it, if the answer had one.
        package let providerStatus: String?

        /// Takes both as they stand in the journal.
        package init(providerID: String, providerStatus: String?) {
            self.providerID = providerID
            self.providerStatus = providerStatus
        }
    }

    /// The job's number.
    package var id: JobID
    /// The fence that every write about this claim must carry.
    package var token: ClaimToken
    /// The job's kind.
    package var kind: JobKind
    /// What this claim is for.
    package var step: Step
    /// Attempts that may have reached the provider, this one included when it creates.
    package var attempt: Int
    /// How many such attempts the job may have.
    package var maxAttempts: Int
    /// How often the job went back to `available` in a row; the exponent of the next backoff.
    package var backoffStep: Int
    /// The stored key, a lower-case UUID; every resend carries it.
    package var idempotencyKey: String
    /// `payload::text` in UTF-8, or nil when it was too large to come with the claim.
    package var payload: [UInt8]?
    /// The length of the payload in bytes.
    package var payloadBytes: Int
    /// SHA-256 of the payload as recorded with the first claim.
    package var bodySHA256: [UInt8]
    /// SHA-256 of the request first sent under the present key (`Operation.requestDigest`); nil when none is recorded.
    package var requestSHA256: [UInt8]?
    /// `parameters::text` in UTF-8; a JSON object of strings.
    package var parameters: [UInt8]
    /// The provider's id that `after_job_id` ended with.
    package var afterProviderID: String?
    /// The caller's W3C trace context.
    package var traceparent: String?
    /// Time left until `expires_at`; nil when the job does not expire.
    package var remaining: Duration?
    /// Time since the first send under the present key that may have arrived; nil when none did. The key's age.
    package var firstSentAge: Duration?
    /// Time since the last moment at which a byte of an earlier request can have left, where that request may have had
    /// its effect; nil when none may: nothing was sent, or a look-up proved that nothing exists.
    package var lastSentAge: Duration?
    /// How long after its last byte a request may have its effect.
    package var effectHorizon: Duration = .seconds(120)
    /// Whether a cancel was requested before this claim: nothing that creates is sent any more.
    package var isCancelled = false
    /// How many look-ups in a row told nothing, and for how long.
    package var muteLookUps = 0
    /// Time since the first of those look-ups.
    package var muteAge: Duration?
    /// The HTTP status that answered the last request that creates, under the present key; nil without such an answer.
    package var lastCreateStatus: Int?
    /// A late answer found in the journal.
    package var evidence: Evidence?

    /// A claim with what every job has; the rest is set where a job has it.
    package init(
        id: JobID, token: ClaimToken, kind: JobKind, step: Step = .create, attempt: Int = 1, maxAttempts: Int = 25,
        idempotencyKey: String, payload: [UInt8]?, payloadBytes: Int, bodySHA256: [UInt8]
    ) {
        self.id = id
        self.token = token
        self.kind = kind
        self.step = step
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.backoffStep = 0
        self.idempotencyKey = idempotencyKey
        self.payload = payload
        self.payloadBytes = payloadBytes
        self.bodySHA256 = bodySHA256
        self.parameters = Array("{}".utf8)
    }
}

extension Claim {
    /// Whether an earlier request may have had its effect, or may still have it.
    package var isInDoubt: Bool { lastSentAge != nil }

    /// Whether `expires_at` was over when the claim was made.
    package var isExpired: Bool { remaining.map { $0 <= .zero } ?? false }

    /// Whether the key makes another request harmless although an earlier one may have had its effect.
    package func keyAllowsResend(under policy: RecoveryPolicy) -> Bool {
        guard case .underSameKey(let life) = policy.resend else { return false }
        return (firstSentAge ?? .zero) < life - AttemptPlan.keyMargin
    }
}
