/// A way through the model, written down as the database would write it.
struct Walk {
    private(set) var events: [JobEvent] = [.enqueued(.available)]
    private(set) var state = ModelState()
    private var tokens: [WorkerName: Int] = [:]
    private var lastToken = 0

    /// Takes up to `length` steps at random.
    init(_ rules: Rules, length: Int, using random: inout some RandomNumberGenerator) {
        for _ in 0..<length {
            guard let step = state.successors(rules).randomElement(using: &random) else { return }
            events += history(of: step)
            state = step.state
        }
    }

    private mutating func history(of step: Transition) -> [JobEvent] {
        switch step.event {
        case .claim(let name, let plan):
            lastToken += 1
            tokens[name] = lastToken
            return [.claimed(token: lastToken, step: plan == .create ? .create : .lookUp)]
        case .mark(let name), .send(let name): return [.sent(token: token(name))]
        case .complete(let name, let next):
            guard let ending = state[name].ending else { return [] }
            return [.finished(token: token(name), ending.outcome, next: next, then: ending.step)]
        case .completeLate(let name):
            let ending = state[name].ending
            let late = JobEvent.lateEvidence(
                token: token(name), proves: ending?.hasID == true, reached: ending?.reached == true)
            return state.row.state == step.state.row.state ? [late] : [late, .provedLate]
        case .takeOver:
            guard let owner = state.owner else { return [] }
            return [.takenOver(token: token(owner), step: state.row.step, next: .available)]
        case .horizonPasses: return [.horizonPassed]
        case .cancel(let next): return [next == .cancelled ? .cancelled : .cancelRequested]
        case .expire(let next): return next == .failed ? [.expired] : []
        case .resolveHappened: return [.resolved(happened: true, next: .completed)]
        case .resolveDidNotHappen(let next): return [.resolved(happened: false, next: next)]
        case .retry: return [.retried]
        case .markRefused, .beginBody, .leaseCheckFails, .connectFails, .answer, .timeout, .lookUp, .crash: return []
        case .leasePasses, .strayLands, .strayIsLost, .lifePasses, .keyForgotten: return []
        }
    }

    private func token(_ name: WorkerName) -> Int { tokens[name] ?? 0 }
}
