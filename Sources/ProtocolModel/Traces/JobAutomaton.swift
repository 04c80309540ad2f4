/// What is known of a job from its history alone; takes one event after the other.
struct JobAutomaton {
    let policy: Policy
    private(set) var state: RowState?
    private var token: Int?
    private var usedTokens: Set<Int> = []
    /// The present claim wrote its mark.
    private var isMarked = false
    /// An attempt before the present one may have sent.
    private var wasSent = false
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
        case .claimed(let token):
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

    private func isCancel(_ next: RowState) -> Bool { next == .cancelled && cancelIsRequested }

    private func takeOverFault(_ next: RowState) -> TraceFault? {
        let follows =
            switch next {
            case .available: !(policy == .neither && isMarked)
            case .uncertain: policy == .neither ? isMarked : policy == .keyedBlind
            case .cancelled: cancelIsRequested && policy.marksBeforeSend && !isMarked
            case .completed: isProved
            case .blocked, .running, .waiting, .failed: false
            }
        return follows ? nil : .doesNotLeadTo(next)
    }

    /// Whether an attempt that ended so may lead to `next`; expiry inside a decision included.
    private func endFault(_ outcome: AttemptOutcome, _ next: RowState) -> TraceFault? {
        // A look-up needs no mark, and can be turned away as a create can.
        let mayBeLookUp = policy.canLookUp && wasSent && (outcome == .throttled || outcome == .unauthorized)
        if policy.marksBeforeSend, !isMarked, outcome.needsSend, !mayBeLookUp, !isProved, next != .uncertain {
            return .sentWithoutMark
        }
        if next == .completed, isProved { return nil }
        let mayExist = wasSent || !policy.marksBeforeSend
        let follows: Bool =
            switch (outcome, next) {
            case (.succeeded, .completed), (.succeeded, .waiting): true
            case (.adopted, .completed), (.adopted, .waiting): policy.canLookUp || isProved
            case (.notFound, .available), (.notFound, .failed), (.notFound, .uncertain): policy.canLookUp
            case (.rejected, .available), (.rejected, .uncertain): policy.canLookUp
            case (.rejected, .failed), (.invalidPayload, .failed): true
            case (.unauthorized, .available), (.throttled, .available), (.notSent, .available): true
            case (.unauthorized, .failed), (.throttled, .failed), (.notSent, .failed): true
            case (.unauthorized, .uncertain), (.throttled, .uncertain), (.notSent, .uncertain): mayExist
            case (.unavailable, .available): policy != .neither
            case (.unavailable, .uncertain): policy != .neither
            case (.ambiguous, .available): policy != .neither
            case (.ambiguous, .uncertain): !policy.canLookUp || wasSent
            default: false
            }
        return follows || isCancel(next) ? nil : .doesNotLeadTo(next)
    }

    private mutating func apply(_ event: JobEvent) {
        switch event {
        case .enqueued(let next): state = next
        case .unblocked: state = .available
        case .claimed(let token):
            state = .running
            self.token = token
            usedTokens.insert(token)
            isMarked = false
        case .sent: isMarked = true
        case .finished(_, let outcome, let next):
            wasSent = wasSent || outcome == .unavailable || outcome == .ambiguous
            state = next
        case .takenOver(_, let next):
            wasSent = wasSent || isMarked || !policy.marksBeforeSend
            state = next
        case .lateEvidence(_, let proves): isProved = isProved || proves
        case .provedLate: state = .completed
        case .decided(let next): state = next
        case .cancelRequested: cancelIsRequested = true
        case .cancelled: state = .cancelled
        case .expired: state = .failed
        case .resolved(let happened, let next):
            if !happened { wasSent = false }
            state = next
        case .retried:
            state = .available
            cancelIsRequested = false
        }
    }
}
