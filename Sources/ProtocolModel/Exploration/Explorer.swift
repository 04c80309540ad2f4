/// Walks through every reachable state, nearest first, so that the first way found to each is a shortest one.
struct Explorer {
    /// A state and how it was first reached.
    private struct Visit {
        let state: ModelState
        let parent: Int
        let event: Event?
        let depth: Int
    }

    private let rules: Rules
    private let sought: Invariant?
    private var visits: [Visit] = []
    private var numbers: [ModelState: Int] = [:]
    /// Steps of a world without faults, backwards: by where they lead.
    private var healthyOrigins: [[Int32]] = []
    private var result = Exploration()

    private init(_ rules: Rules, sought: Invariant?) {
        self.rules = rules
        self.sought = sought
    }

    /// Explores until nothing is new and returns one counterexample for each broken invariant. What lies behind
    /// a broken one is not looked at: there anything may be broken.
    static func explore(_ rules: Rules) -> Exploration {
        var explorer = Explorer(rules, sought: nil)
        return explorer.run()
    }

    /// Explores until `invariant` is broken, whatever else is.
    static func seek(_ invariant: Invariant, _ rules: Rules) -> Exploration {
        var explorer = Explorer(rules, sought: invariant)
        return explorer.run()
    }

    private mutating func run() -> Exploration {
        visit(ModelState(), parent: -1, event: nil)
        var number = 0
        while number < visits.count, !isFound {
            if sought != nil || Invariant.broken(in: visits[number].state, rules) == nil { expand(number) }
            number += 1
        }
        result.states = visits.count
        result.depth = visits.last?.depth ?? 0
        if result.counterexamples.isEmpty { findLostJob() }
        return result
    }

    private var isFound: Bool { sought != nil && !result.counterexamples.isEmpty }

    private mutating func expand(_ number: Int) {
        let state = visits[number].state
        for transition in state.successors(rules) {
            result.transitions += 1
            if let invariant = Invariant.broken(by: transition.event, from: state, to: transition.state, rules) {
                report(invariant, number, transition.event, transition.state)
                if isFound { return }
                if sought == nil { continue }
            }
            let next = visit(transition.state, parent: number, event: transition.event)
            if transition.event.isHealthy(in: state) { healthyOrigins[next].append(Int32(number)) }
        }
    }

    @discardableResult
    private mutating func visit(_ state: ModelState, parent: Int, event: Event?) -> Int {
        if let known = numbers[state] { return known }
        let number = visits.count
        numbers[state] = number
        visits.append(
            Visit(state: state, parent: parent, event: event, depth: parent < 0 ? 0 : visits[parent].depth + 1))
        healthyOrigins.append([])
        if let invariant = Invariant.broken(in: state, rules) { report(invariant, number, nil, state) }
        return number
    }

    private mutating func report(_ invariant: Invariant, _ number: Int, _ event: Event?, _ last: ModelState) {
        guard result.counterexamples[invariant] == nil, sought == nil || sought == invariant else { return }
        result.counterexamples[invariant] = Counterexample(
            invariant: invariant, events: path(to: number) + (event.map { [$0] } ?? []), last: last)
    }

    private func path(to number: Int) -> [Event] {
        var events: [Event] = []
        var current = number
        while current >= 0, let event = visits[current].event {
            events.append(event)
            current = visits[current].parent
        }
        return events.reversed()
    }

    /// Goes back from every end along healthy steps: what is not reached that way is lost.
    private mutating func findLostJob() {
        var isSafe = visits.map { $0.state.row.state.isFinal || $0.state.row.state == .uncertain }
        var queue = isSafe.indices.filter { isSafe[$0] }
        while let number = queue.popLast() {
            for origin in healthyOrigins[number] where !isSafe[Int(origin)] {
                isSafe[Int(origin)] = true
                queue.append(Int(origin))
            }
        }
        guard let lost = isSafe.firstIndex(of: false) else { return }
        report(.jobIsNeverLost, lost, nil, visits[lost].state)
    }
}
