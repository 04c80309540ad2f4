/// What an attempt does, decided from the claim alone before anything is sent.
package enum AttemptPlan: Sendable, Equatable {
    /// Send the request that creates the record.
    case create
    /// Ask for the record instead.
    case lookUp
    /// A fenced-out worker has proved the record already; no call is needed.
    case adopt(Claim.Evidence)
    /// Nothing may be sent and nothing can be asked.
    case giveUp(Decision)
}

extension AttemptPlan {
    /// How much of a key's life is left unused, for clocks and for the time a request travels.
    package static let keyMargin: Duration = .seconds(300)

    /// Plans the attempt for `claim` under the operation's `policy`.
    ///
    /// The one place that says whether a creating request may be sent. After a cancel, or where an earlier request
    /// may have had an effect that no key makes harmless to repeat, the answer is no.
    ///
    /// - Parameter canLookUp: whether this very job can be looked up; an operation may offer a
    ///   look-up that needs a field which the payload leaves out.
    package init(_ claim: Claim, policy: RecoveryPolicy, canLookUp: Bool) {
        if let evidence = claim.evidence {
            self = .adopt(evidence)
        } else if claim.step == .lookUp, canLookUp {
            self = .lookUp
        } else if claim.isCancelled || claim.isExpired || !Self.mayCreate(claim, policy) {
            self = claim.isInDoubt ? Self.findOut(claim, canLookUp: canLookUp) : .giveUp(Self.unsent(claim))
        } else {
            self = .create
        }
    }

    /// Whether a creating request can do no harm: nothing may exist, or the key that it repeats prevents a second effect.
    private static func mayCreate(_ claim: Claim, _ policy: RecoveryPolicy) -> Bool {
        guard claim.isInDoubt else { return true }
        return claim.keyAllowsResend(under: policy) && claim.attempt <= claim.maxAttempts
    }

    private static func findOut(_ claim: Claim, canLookUp: Bool) -> AttemptPlan {
        guard !canLookUp else { return .lookUp }
        let cause = claim.isCancelled ? "cancelled" : claim.isExpired ? "expired" : nil
        let known = "an earlier request may have arrived and nothing can tell"
        return .giveUp(
            Decision(.uncertain, reason: cause.map { "\($0); \(known)" } ?? known, countsAttempt: false))
    }

    private static func unsent(_ claim: Claim) -> Decision {
        claim.isCancelled
            ? Decision(.cancelled, reason: "cancelled before it was sent", countsAttempt: false)
            : Decision(.failed, reason: "expired before it could run", countsAttempt: false)
    }
}
