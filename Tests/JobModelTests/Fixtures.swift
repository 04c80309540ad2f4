import JobModel

enum Policies {
    static let sameKey = RecoveryPolicy(resend: .underSameKey(life: .seconds(86_400)), offersLookUp: true)
    static let lookUpFirst = RecoveryPolicy(resend: .afterLookUp, offersLookUp: true)
    static let never = RecoveryPolicy(resend: .never, offersLookUp: false)
}

func makeClaim(
    step: Step = .create, attempt: Int = 1, maxAttempts: Int = 25, firstSentAge: Duration? = nil,
    lastSentAge: Duration? = nil, isInDoubt: Bool = true, isCancelled: Bool = false, remaining: Duration? = nil,
    lastCreateStatus: Int? = nil, backoffStep: Int = 0,
    evidence: Claim.Evidence? = nil
) -> Claim {
    var claim = Claim(
        id: JobID(1), token: ClaimToken(1), kind: JobKind("iron.customer.create"), step: step, attempt: attempt,
        maxAttempts: maxAttempts, idempotencyKey: "8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a11", payload: Array("{}".utf8),
        payloadBytes: 2, bodySHA256: [])
    claim.firstSentAge = firstSentAge
    claim.lastSentAge = isInDoubt ? lastSentAge ?? firstSentAge : nil
    claim.isCancelled = isCancelled
    claim.remaining = remaining
    claim.lastCreateStatus = lastCreateStatus
    claim.backoffStep = backoffStep
    claim.evidence = evidence
    return claim
}

func decide(
    _ outcome: Outcome, for claim: Claim = makeClaim(), doing step: Step = .create,
    policy: RecoveryPolicy = Policies.sameKey, canLookUp: Bool? = nil, reached: Bool = true, status: Int? = nil,
    retryAfter: Duration? = nil
) -> Decision {
    var result = CallResult(outcome, mayHaveReached: reached, httpStatus: status)
    result.retryAfter = retryAfter
    return AttemptDecider().decide(
        result, for: claim, doing: step, policy: policy, canLookUp: canLookUp ?? policy.offersLookUp, jitter: 1)
}
