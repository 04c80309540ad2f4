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
        case .mark(let name): return [.sent(token: token(name))]
        case .complete(let name, let next):
            return [.finished(token: token(name), outcome(of: state[name]), next: next)]
        case .completeLate(let name):
            let late = JobEvent.lateEvidence(token: token(name), proves: state[name].ending?.hasID == true)
            return state.row.state == step.state.row.state ? [late] : [late, .provedLate]
        case .takeOver(let next, _): return state.owner.map { [.takenOver(token: token($0), next: next)] } ?? []
        case .cancel(let next): return [next == .cancelled ? .cancelled : .cancelRequested]
        case .expire(let next): return next == .failed ? [.expired] : []
        case .resolveHappened: return [.resolved(happened: true, next: .completed)]
        case .resolveDidNotHappen(let next): return [.resolved(happened: false, next: next)]
        case .retry: return [.retried]
        case .markRefused, .send, .leaseCheckFails, .connectFails, .answer, .timeout, .lookUp, .crash: return []
        case .leasePasses, .strayLands, .strayIsLost, .settlePasses, .lifePasses, .keyForgotten: return []
        }
    }

    private func token(_ name: WorkerName) -> Int { tokens[name] ?? 0 }

    private func outcome(of worker: WorkerState) -> AttemptOutcome {
        guard let ending = worker.ending else { return .notSent }
        if ending.hasID { return worker.facts.plan == .create ? .succeeded : .adopted }
        if ending.isNotFound { return .notFound }
        if ending.isRefusal { return .rejected }
        if worker.facts.plan == .giveUp { return .ambiguous }
        // What is sent again at once was no answer at all; what is looked up first may have been a puzzling one.
        if ending.reached { return ending.next == .available && ending.step == .create ? .unavailable : .ambiguous }
        return worker.facts.plan == .lookUp ? .unavailable : .notSent
    }
}
