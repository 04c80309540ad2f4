import Testing

@testable import ProtocolModel

/// The protocol itself, explored to the last state.
@Suite(.serialized) struct ProtocolTests {
    @Test(arguments: Policy.allCases)
    func `the protocol keeps every promise`(policy: Policy) {
        // Rounds make many states of many; that a key lasts over them shows without look-ups, and look-ups without a key.
        let found = Explorer.explore(Rules(policy, maxRounds: policy == .keyed ? 0 : 1))
        #expect(found.broken == [], "\(found)")
    }

    /// A model in which nothing happens breaks nothing either.
    @Test(arguments: Policy.allCases)
    func `every state of a job is reached`(policy: Policy) {
        var states: Set<RowState> = []
        var seen: Set<ModelState> = [ModelState()]
        var queue = [ModelState()]
        let rules = Rules(policy, maxAttempts: 1, maxRounds: 0)
        while let state = queue.popLast() {
            states.insert(state.row.state)
            for next in state.successors(rules) where seen.insert(next.state).inserted { queue.append(next.state) }
        }
        #expect(states == Set(RowState.allCases).subtracting([.blocked, .waiting]))
    }
}
