extension ModelState {
    /// Everything that may happen next.
    func successors(_ rules: Rules) -> [Transition] {
        var next = Successors(self, rules)
        // Idle workers are alike: the first of them claims.
        if row.state == .available, let name = WorkerName.allCases.first(where: { self[$0].phase == .idle }) {
            next.claim(name)
        }
        for name in WorkerName.allCases where self[name].phase != .idle { next.work(name) }
        next.takeOver()
        next.provide()
        next.passTime()
        next.operate()
        return next.transitions
    }
}
