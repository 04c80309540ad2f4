import Testing

@testable import ProtocolModel

/// Which half of "at most one effect" is the provider's and the operator's.
@Suite(.serialized) struct AssumptionTests {
    @Test(arguments: Assumption.allCases)
    func `without the assumption there are two effects, where it is needed`(assumption: Assumption) {
        for policy in Policy.allCases {
            let isNeeded = Self.needs(policy, assumption)
            // That nothing is found takes all states: there without the operator's rounds.
            let rules = Rules(policy, without: assumption, maxRounds: isNeeded ? 1 : 0)
            let found = Explorer.seek(.effectAtMostOnce, rules)
            #expect(found.broken.isEmpty != isNeeded)
        }
    }

    private static func needs(_ policy: Policy, _ assumption: Assumption) -> Bool {
        switch assumption {
        case .keyMemoryIsAtomic, .landsBeforeKeyIsForgotten: policy.hasKey
        case .landsWithinHorizon: policy != .neither
        case .verdictHoldsForGood, .turnedAwayHasNoEffect: true
        }
    }
}
