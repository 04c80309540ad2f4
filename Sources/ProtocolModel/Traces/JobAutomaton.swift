/// What is known of a job from its history alone; takes one event after the other.
struct JobAutomaton {
    /// What the present claim does and knew when it was made.
    private struct Attempt {
        let token: Int
        let step: CallStep
        let isCancelled: Bool
        let isPastHorizon: Bool
        var isSent = false
        /// A fenced-out worker's call that may have had an effect ended since.
        var lateSend = false
    }

    let policy: Policy
    private(set) var state: RowState?
    private var attempt: Attempt?
    private var usedTokens: Set<Int> = []
    /// An earlier request may have had its effect, or may still have it.
    private var isInDoubt = false
    /// No request so far may have its effect any more.
    private var isPastHorizon = false
    /// An answer under a key was such that the record must be looked up before anything is sent.
    private var mustLookUp = false
    private var cancelIsRequested = false
    private var isProved = false

    init(_ policy: Policy) {
        self.policy = policy
    }

    /// Takes the event, or says why it cannot be; then nothing has changed.
    mutating func take(_ event: JobEvent) -> TraceFault? {
        if let fault = fault(of: event) { return fault }
        apply(event)
        return nil
    }

    private func fault(of event: JobEvent) -> TraceFault? {
        switch event {
        case .enqueued(let next):
            if state != nil { return .notFrom(state) }
            return next == .available || next == .blocked ? nil : .doesNotLeadTo(next)
        case .unblocked: return requires(.blocked)
        case .claimed(let token, _):
            if state != .available && state != .waiting { return .notFrom(state) }
            return usedTokens.contains(token) ? .tokenIsNotNew : nil
        case .sent(let token): return fenceFault(token) ?? sendFault
        case .finished(let token, let outcome, let next, let step):
            return fenceFault(token) ?? endFault(outcome, next, then: step)
        case .takenOver(let token, _, let next):
            return fenceFault(token) ?? (next == .available ? nil : .doesNotLeadTo(next))
        case .horizonPassed: return nil
        case .lateEvidence(let token, _, _):
            let holds = state == .running && attempt?.token == token
            return usedTokens.contains(token) && !holds ? nil : .evidenceIsNotLate
        case .provedLate:
            if let fault = requires(.uncertain) { return fault }
            return isProved ? nil : .doesNotLeadTo(.completed)
        case .decided(let next):
            if let fault = requires(.waiting) { return fault }
            return next == .completed || next == .failed ? nil : .doesNotLeadTo(next)
        case .cancelRequested: return state == .running || state == .available ? nil : .notFrom(state)
        case .cancelled:
            if state == .available, isInDoubt { return .doesNotLeadTo(.cancelled) }
            return state == .blocked || state == .available || state == .waiting ? nil : .notFrom(state)
        case .expired: return requires(.available) ?? (isInDoubt ? .doesNotLeadTo(.failed) : nil)
        case .resolved(let happened, let next):
            if let fault = requires(.uncertain) { return fault }
            let follows = happened ? next == .completed : next == (cancelIsRequested ? .cancelled : .available)
            return follows ? nil : .doesNotLeadTo(next)
        case .retried: return state == .failed || state == .cancelled ? nil : .notFrom(state)
        }
    }

    private func requires(_ required: RowState) -> TraceFault? { state == required ? nil : .notFrom(state) }

    private func fenceFault(_ token: Int) -> TraceFault? {
        if state != .running { return usedTokens.contains(token) ? .tokenIsOld : .notFrom(state) }
        return attempt?.token == token ? nil : .tokenIsOld
    }

    private var sendFault: TraceFault? {
        if attempt?.isCancelled == true { return .createdAfterCancel }
        return isInDoubt && (mustLookUp || !policy.hasKey) ? .createdInDoubt : nil
    }

    /// Whether an attempt that ended so may lead to `next`; expiry inside a decision included.
    private func endFault(_ outcome: AttemptOutcome, _ next: RowState, then step: CallStep) -> TraceFault? {
        guard let attempt else { return .notFrom(state) }
        if attempt.step == .create, !attempt.isSent, outcome.needsSend { return .answeredWithoutSend }
        let proof = isProof(outcome, next, then: step, by: attempt)
        if proof, isInDoubt, !attempt.isPastHorizon { return .believedTooEarly }
        let staysInDoubt = remainsInDoubt(after: outcome, proof, attempt)
        let looked = attempt.step == .lookUp && policy.canLookUp
        let follows: Bool =
            switch next {
            case .completed, .waiting:
                isProved || (outcome == .succeeded ? attempt.step == .create : outcome == .adopted && looked)
            case .available: outcome != .succeeded && outcome != .adopted && (outcome != .notFound || looked)
            // A creation with an id that another job has needs a person.
            case .uncertain: outcome != .adopted && (staysInDoubt || outcome == .succeeded)
            case .failed: outcome != .succeeded && outcome != .adopted && !staysInDoubt
            case .cancelled: cancelIsRequested && outcome != .succeeded && outcome != .adopted && !staysInDoubt
            case .blocked, .running: false
            }
        let needsPerson = policy == .neither && attempt.step == .create && outcome.leavesDoubt && next == .available
        return follows && !needsPerson ? nil : .doesNotLeadTo(next)
    }

    /// Whether the end was taken for a proof that no request before the claim had an effect or will have one.
    private func isProof(
        _ outcome: AttemptOutcome, _ next: RowState, then step: CallStep, by attempt: Attempt
    ) -> Bool {
        let ends = next == .failed || next == .cancelled
        return switch (attempt.step, outcome) {
        case (.lookUp, .notFound): ends || (next == .available && step == .create && !attempt.lateSend)
        case (.create, .rejected): ends && policy.hasKey
        default: false
        }
    }

    private func remainsInDoubt(after outcome: AttemptOutcome, _ proof: Bool, _ attempt: Attempt) -> Bool {
        if attempt.lateSend { return true }
        if proof { return false }
        return isInDoubt || (attempt.step == .create && outcome.leavesDoubt)
    }

    private mutating func apply(_ event: JobEvent) {
        switch event {
        case .enqueued(let next): state = next
        case .unblocked: state = .available
        case .claimed(let token, let step):
            state = .running
            usedTokens.insert(token)
            attempt = Attempt(
                token: token, step: step, isCancelled: cancelIsRequested, isPastHorizon: isPastHorizon)
        case .sent: attempt?.isSent = true
        case .finished(_, let outcome, let next, let step):
            ended(outcome, next, then: step)
            state = next
        case .takenOver(_, let step, let next):
            // Under a key the claim alone is taken for a send: a look-up that cannot be made is a send.
            if policy.hasKey || (step == .create && attempt?.isSent == true) { mayHaveSent() }
            isInDoubt = isInDoubt || attempt?.lateSend == true
            state = next
        case .horizonPassed: isPastHorizon = true
        case .lateEvidence(_, let proves, let reached):
            isProved = isProved || proves
            guard reached else { return }
            if state == .running { attempt?.lateSend = true } else { mayHaveSent() }
        case .provedLate: state = .completed
        case .decided(let next): state = next
        case .cancelRequested: cancelIsRequested = true
        case .cancelled: state = .cancelled
        case .expired: state = .failed
        case .resolved(let happened, let next):
            if !happened { (isInDoubt, mustLookUp) = (false, false) }
            state = next
        case .retried:
            state = .available
            cancelIsRequested = false
        }
    }

    private mutating func ended(_ outcome: AttemptOutcome, _ next: RowState, then step: CallStep) {
        guard let attempt else { return }
        let proof = isProof(outcome, next, then: step, by: attempt)
        let reached = attempt.step == .create && outcome.leavesDoubt
        let remains = remainsInDoubt(after: outcome, proof, attempt)
        if reached || attempt.lateSend { mayHaveSent() }
        isInDoubt = remains
        // Under a key only a puzzling answer must be looked into: what was not answered is sent again.
        if !remains || (attempt.step == .lookUp && outcome == .rejected) { mustLookUp = false }
        if reached, outcome == .ambiguous, policy.canLookUp { mustLookUp = true }
    }

    private mutating func mayHaveSent() {
        isInDoubt = true
        isPastHorizon = false
    }
}
