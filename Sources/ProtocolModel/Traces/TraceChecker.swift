/// Says whether the history of one real job is a path of the protocol.
package struct TraceChecker {
    /// The first event that cannot be.
    package struct Finding: Hashable {
        /// Its place in the history, from 0.
        package let index: Int
        /// Why.
        package let fault: TraceFault
    }

    /// Nil when the whole history may be a job's.
    package static func check(_ events: [JobEvent], policy: Policy) -> Finding? {
        var automaton = JobAutomaton(policy)
        for (index, event) in events.enumerated() {
            if let fault = automaton.take(event) { return Finding(index: index, fault: fault) }
        }
        return nil
    }
}
