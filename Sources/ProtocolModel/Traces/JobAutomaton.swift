/// What is known of a job from its history alone; takes one event after the other.
struct JobAutomaton {
    let policy: Policy
    private(set) var state: RowState?
    private var token: Int?
    /// What the present claim does.
    private var step = CallStep.create
    private var usedTokens: Set<Int> = []
    /// The present claim wrote its mark.
    private var isMarked = false
    /// An attempt before the present one may have sent.
    private var wasSent = false
    /// A create may have had its effect, and no look-up has denied it since.
    private var mustLookUp = false
    /// Some attempt ended without an answer, and no look-up found nothing since (`retry` asks for it).
    private var isUnanswered = false
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
        case .claimed(let token, let step):
            if step == .create, mustLookUp { return .createdInDoubt }
            if state != .available && state != .waiting { return .notFrom(state) }
            return usedTokens.contains(token) ? .tokenIsNotNew : nil
        case .sent(let token):
            if !policy.marksBeforeSend { return .notOfThisPolicy }
            return fenceFault(token)
        case .finished(let token, let outcome, let next): return fenceFault(token) ?? endFault(outcome, next)
        case .takenOver(let token, let next): return fenceFault(token) ?? takeOverFault(next)
        case .lateEvidence(let token, _):
            let holds = state == .running && self.token == token
            return usedTokens.contains(token) && !holds ? nil : .evidenceIsNotLate
        case .provedLate:
            if let fault = requires(.uncertain) { return fault }
            return isProved ? nil : .doesNotLeadTo(.completed)
        case .decided(let next):
            if let fault = requires(.waiting) { return fault }
            return next == .completed || next == .failed ? nil : .doesNotLeadTo(next)
        case .cancelRequested: return state == .running || state == .available ? nil : .notFrom(state)
        case .cancelled:
            return state == .blocked || state == .available || state == .waiting ? nil : .notFrom(state)
        case .expired: return requires(.available)
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
        return self.token == token ? nil : .tokenIsOld
    }

    /// A wish to cancel is heard where nothing may exist: nothing was sent, a look-up found nothing, or the provider refused.
    private func isCancel(after outcome: AttemptOutcome, _ next: RowState) -> Bool {
        guard next == .cancelled, cancelIsRequested else { return false }
        return switch outcome {
        case .notFound, .rejected, .invalidPayload: true
        case .notSent, .throttled, .unauthorized: !wasSent
        case .succeeded, .adopted, .unavailable, .ambiguous: false
        }
    }

    private func takeOverFault(_ next: RowState) -> TraceFault? {
        let follows =
            switch next {
            case .available: !(policy == .neither && isMarked)
            case .uncertain: policy == .neither ? isMarked : policy == .keyedBlind
            case .cancelled: cancelIsRequested && policy.marksBeforeSend && !isMarked && !wasSent
            case .completed: isProved
            case .blocked, .running, .waiting, .failed: false
            }
        return follows ? nil : .doesNotLeadTo(next)
    }

    /// Whether an attempt that ended so may lead to `next`; expiry inside a decision included.
    private func endFault(_ outcome: AttemptOutcome, _ next: RowState) -> TraceFault? {
        // A look-up needs no mark, and can be turned away as a create can.
        if policy.marksBeforeSend, step == .create, !isMarked, outcome.needsSend { return .sentWithoutMark }
        if next == .completed, isProved { return nil }
        let mayExist = wasSent || !policy.marksBeforeSend
        let looked = step == .lookUp && policy.canLookUp
        let follows: Bool =
            switch (outcome, next) {
            case (.succeeded, .completed), (.succeeded, .waiting): step == .create
            case (.adopted, .completed), (.adopted, .waiting): looked
            case (.notFound, .available), (.notFound, .failed), (.notFound, .uncertain): looked
            case (.rejected, .available), (.rejected, .uncertain): looked
            case (.rejected, .failed), (.invalidPayload, .failed): true
            case (.unauthorized, .available), (.throttled, .available), (.notSent, .available): true
            case (.unauthorized, .failed), (.throttled, .failed), (.notSent, .failed): true
            case (.unauthorized, .uncertain), (.throttled, .uncertain), (.notSent, .uncertain): mayExist
            case (.unavailable, .available): policy != .neither
            case (.unavailable, .uncertain): policy != .neither
            case (.ambiguous, .available): policy != .neither
            case (.ambiguous, .uncertain): !policy.canLookUp || wasSent
            // A claim that came at the very end of its time.
            case (.ambiguous, .failed): step == .lookUp && !wasSent
            default: false
            }
        return follows || isCancel(after: outcome, next) ? nil : .doesNotLeadTo(next)
    }

    private mutating func apply(_ event: JobEvent) {
        switch event {
        case .enqueued(let next): state = next
        case .unblocked: state = .available
        case .claimed(let token, let step):
            self.step = step
            state = .running
            self.token = token
            usedTokens.insert(token)
            isMarked = false
        case .sent: isMarked = true
        case .finished(_, let outcome, let next):
            ended(outcome)
            state = next
        case .takenOver(_, let next):
            wasSent = wasSent || isMarked || !policy.marksBeforeSend
            mustLookUp = mustLookUp || (policy == .lookUp && isMarked)
            isUnanswered = true
            state = next
        case .lateEvidence(_, let proves):
            isProved = isProved || proves
            isUnanswered = isUnanswered || !proves
        case .provedLate: state = .completed
        case .decided(let next): state = next
        case .cancelRequested: cancelIsRequested = true
        case .cancelled: state = .cancelled
        case .expired: state = .failed
        case .resolved(let happened, let next):
            if !happened {
                wasSent = false
                mustLookUp = false
            }
            state = next
        case .retried:
            state = .available
            cancelIsRequested = false
            wasSent = wasSent && isUnanswered
        }
    }

    private mutating func ended(_ outcome: AttemptOutcome) {
        wasSent = wasSent || outcome.leavesDoubt
        isUnanswered = isUnanswered || outcome.leavesDoubt
        switch (step, outcome) {
        // Under a key only a puzzling answer must be looked into: what was not answered is sent again.
        case (.create, .unavailable): mustLookUp = mustLookUp || policy == .lookUp
        case (.create, .ambiguous): mustLookUp = mustLookUp || policy.canLookUp
        case (.lookUp, .notFound):
            mustLookUp = false
            isUnanswered = false
        case (.lookUp, .rejected): mustLookUp = mustLookUp && !policy.hasKey
        default: break
        }
    }
}
