extension ProviderState {
    /// Whether a create with these facts may be answered so now.
    func mayGive(_ answer: Answer, to facts: ClaimedFacts, _ rules: Rules) -> Bool {
        let isReplay = rules.policy.hasKey && remembers(facts.key)
        let isRefused = refuses(facts.key) || (opinion == .refuses && rules.assumes(.refusalIsOfTheBody))
        switch answer {
        case .created, .createdButUnclear, .createdButError, .createdButLost:
            return isReplay || !isRefused
        case .createdButTurnedAway:
            return !rules.assumes(.turnedAwayHasNoEffect) && (isReplay || !isRefused)
        case .refused:
            if isReplay { return false }
            return refuses(facts.key) || opinion != .accepts || !rules.assumes(.refusalIsOfTheBody)
        case .replayedError:
            return rules.policy == .keyed && facts.createStatus == .error
        case .unclear, .error, .turnedAway:
            return true
        }
    }

    /// A create under `key` lands and is accepted.
    mutating func apply(_ key: UInt8, _ rules: Rules) {
        opinion = .accepts
        if rules.policy.hasKey, remembers(key), rules.assumes(.keyMemoryIsAtomic) { return }
        effects = min(2, effects + 1)
        if rules.policy.hasKey { remembered |= 1 << key }
    }

    /// Whether a stray under `key` may take effect, as far as the body goes.
    func mayAccept(_ key: UInt8, _ rules: Rules) -> Bool {
        !refuses(key) && (opinion != .refuses || !rules.assumes(.refusalIsOfTheBody))
    }
}
