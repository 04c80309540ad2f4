extension ProviderState {
    /// Whether a create with these facts may be answered so now. A refusal may be of the moment: another request with the
    /// same body may be accepted before or after.
    func mayGive(_ answer: Answer, to facts: ClaimedFacts, _ rules: Rules) -> Bool {
        switch answer {
        case .createdButTurnedAway: !rules.assumes(.turnedAwayHasNoEffect)
        case .refused: !(rules.policy.hasKey && remembers(facts.key))
        case .replayedError: rules.policy == .keyed && facts.createStatus == .error
        case .created, .createdButUnclear, .createdButError, .createdButLost, .unclear, .error, .turnedAway, .busy,
            .errorBeforeEffect:
            true
        }
    }

    /// A create under `key` lands and is accepted.
    mutating func apply(_ key: UInt8, _ rules: Rules) {
        if rules.policy.hasKey, remembers(key), rules.assumes(.keyMemoryIsAtomic) { return }
        effects = min(2, effects + 1)
        if rules.policy.hasKey { remembered |= 1 << key }
    }
}
