/// The rules in force and how often each has matched.
struct FaultScript: Sendable {
    private var rules: [(rule: FaultRule, matches: Int)] = []

    /// Replaces all rules; counts begin anew.
    mutating func set(_ rules: [FaultRule]) {
        self.rules = rules.map { ($0, 0) }
    }

    /// The rule that a request falls under, if any; counts it.
    mutating func rule(for provider: String, _ request: SimulatedRequest) -> FaultRule? {
        for index in rules.indices {
            let rule = rules[index].rule
            guard rule.provider == "*" || rule.provider == provider, rule.method == nil || rule.method == request.method
            else { continue }
            if let text = rule.contains, !String(decoding: request.body, as: UTF8.self).contains(text) { continue }
            if let first = rule.first, rules[index].matches >= first { continue }
            rules[index].matches += 1
            if let every = rule.every, rules[index].matches % every != 0 { continue }
            return rule
        }
        return nil
    }
}
