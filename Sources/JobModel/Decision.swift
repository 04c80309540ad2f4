/// What becomes of a job's key with the next request that creates.
package enum KeyUse: String, Sendable {
    /// It stays, and its life goes on.
    case same
    /// It stays, and its life begins anew: a look-up found nothing after the provider may have forgotten it.
    case renewed
    /// It is replaced, because it can only bring back the error that the provider stored for it.
    case new
}

/// What becomes of a job after an attempt; written back under the claim's token.
package struct Decision: Sendable, Equatable {
    /// The state that the job goes to.
    package var state: JobState
    /// What the next claim does, when there is one.
    package var nextStep: Step
    /// How long until that claim may happen.
    package var delay: Duration
    /// Whether the attempt is one of the job's `max_attempts`.
    package var countsAttempt: Bool
    /// The key of the next request.
    package var keyUse: KeyUse
    /// Whether it is now proved that no request so far has had an effect or will have one.
    package var provesAbsence: Bool
    /// How many look-ups in a row have told nothing, this one included; nil: as many as before.
    package var muteLookUps: Int?
    /// How long the provider asked not to be called at all.
    package var providerHold: Duration?
    /// Whether the credentials were refused, so that the provider's circuit opens.
    package var opensCircuit: Bool
    /// Why, in constant words.
    package var reason: String

    /// A decision that ends the job in `state`.
    package init(_ state: JobState, reason: String, countsAttempt: Bool = true) {
        self.state = state
        self.nextStep = .create
        self.delay = .zero
        self.countsAttempt = countsAttempt
        self.keyUse = .same
        self.provesAbsence = false
        self.opensCircuit = false
        self.reason = reason
    }

    /// A decision that makes the job available again after `delay`.
    package static func again(
        _ step: Step, after delay: Duration, reason: String, countsAttempt: Bool = true
    ) -> Decision {
        var decision = Decision(.available, reason: reason, countsAttempt: countsAttempt)
        decision.nextStep = step
        decision.delay = delay
        return decision
    }
}
