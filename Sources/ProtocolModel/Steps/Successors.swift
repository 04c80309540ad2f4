/// Gathers the steps that are possible in one state; each topic has its own file.
struct Successors {
    let state: ModelState
    let rules: Rules
    private(set) var transitions: [Transition] = []

    init(_ state: ModelState, _ rules: Rules) {
        self.state = state
        self.rules = rules
        transitions.reserveCapacity(24)
    }

    var policy: Policy { rules.policy }

    mutating func add(_ event: Event, _ next: ModelState) {
        transitions.append(Transition(event: event, state: next.normal(rules)))
    }

    /// What `name` does with its attempt, and what becomes of it.
    mutating func work(_ name: WorkerName) {
        let worker = state[name]
        switch worker.phase {
        case .idle: return
        case .claimed:
            if worker.facts.plan == .lookUp { lookUp(name) } else { prepare(name) }
        case .marked: send(name)
        case .sending: sendRest(name)
        case .sent: answer(name)
        case .answered: complete(name)
        case .dead: break
        }
        endLease(name)
        if worker.phase != .dead, worker.isCurrent { crash(name) }
    }
}
