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
    /// - Parameter canLookUp: whether this very job can be looked up; an operation may offer a
    ///   look-up that needs a field which the payload leaves out.
    package init(_ claim: Claim, policy: RecoveryPolicy, canLookUp: Bool) {
        if let evidence = claim.evidence {
            self = .adopt(evidence)
        } else if claim.step == .lookUp, canLookUp {
            self = .lookUp
        } else if let remaining = claim.remaining, remaining <= .zero {
            // Expired, and not to be looked up: nothing starts any more.
            let mayExist = claim.firstSentAge != nil
            self = .giveUp(
                Decision(
                    mayExist ? .uncertain : .failed,
                    reason: mayExist ? "expired; an earlier request may have arrived" : "expired before it could run",
                    countsAttempt: false))
        } else if let age = claim.firstSentAge {
            self = Self.afterEarlierSend(age: age, policy: policy, canLookUp: canLookUp, step: claim.step)
        } else {
            self = .create
        }
    }

    private static func afterEarlierSend(
        age: Duration, policy: RecoveryPolicy, canLookUp: Bool, step: Step
    ) -> AttemptPlan {
        switch policy.resend {
        case .underSameKey(let life) where age < life - keyMargin: return .create
        case .underSameKey: break
        // A stored step of `create` says that a look-up found nothing since the last send.
        case .afterLookUp where step == .create: return .create
        case .afterLookUp, .never: break
        }
        guard canLookUp else {
            return .giveUp(
                Decision(
                    .uncertain, reason: "an earlier request may have arrived and nothing can tell", countsAttempt: false
                ))
        }
        return .lookUp
    }
}
