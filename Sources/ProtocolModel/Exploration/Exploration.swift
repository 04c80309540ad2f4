/// What the explorer saw.
struct Exploration {
    var states = 0
    var transitions = 0
    /// The most steps that any state is away from the first.
    var depth = 0
    /// The shortest counterexample of each invariant that is broken.
    var counterexamples: [Invariant: Counterexample] = [:]

    var broken: Set<Invariant> { Set(counterexamples.keys) }
}

extension Exploration: CustomStringConvertible {
    var description: String {
        let figures = "\(states) states, \(transitions) transitions, depth \(depth)"
        let found = Invariant.allCases.compactMap { counterexamples[$0]?.description }
        return ([figures] + found).joined(separator: "\n")
    }
}
