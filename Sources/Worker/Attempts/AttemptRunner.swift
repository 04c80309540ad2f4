import JobModel
import JobQueue
import NIOConcurrencyHelpers
import Providers

/// Runs one attempt from its claim to the decision.
final class AttemptRunner: Sendable {
    let caller: any ProviderCaller
    let marker: Marker
    let trust: LeaseTrust
    let decider: AttemptDecider
    private let durations = NIOLockedValueBox<[ProviderName: CallDurations]>([:])

    init(caller: any ProviderCaller, marker: Marker, trust: LeaseTrust, decider: AttemptDecider) {
        self.caller = caller
        self.marker = marker
        self.trust = trust
        self.decider = decider
    }

    /// Never throws: whatever happens is a result with a decision. When the task is cancelled the call
    /// ends at once, and the result says what may have been sent.
    func run(_ job: ClaimedJob, as identity: LeaseTrust.Identity) async -> CompletedAttempt {
        let claim = job.claim
        guard let operation = OperationRegistry.operation(of: claim.kind) else {
            // A kind of a later program: its workers will come for it.
            let result = CallResult(.notSent, mayHaveReached: false, error: "this worker does not know the kind")
            return end(
                job, .create, result,
                .again(claim.step, after: .seconds(60), reason: "left to a newer worker", countsAttempt: false))
        }
        let isFirst = claim.step == .create && claim.firstSentAge == nil && claim.evidence == nil
        let canLookUp = isFirst ? false : operation.canLookUp(claim)
        switch isFirst ? .create : AttemptPlan(claim, policy: operation.policy, canLookUp: canLookUp) {
        case .create: return await call(.create, job, operation, identity)
        case .lookUp: return await call(.lookUp, job, operation, identity)
        case .adopt(let evidence):
            var result = CallResult(.adopted, mayHaveReached: false)
            result.providerID = evidence.providerID
            result.providerStatus = evidence.providerStatus
            return decide(job, .lookUp, result, operation, sentAge: nil)
        case .giveUp(let decision):
            return end(job, .lookUp, CallResult(.ambiguous, mayHaveReached: false), decision)
        }
    }

    /// The end of a claim that was not begun: the job is due again at once, and no attempt has been used.
    func handBack(_ job: ClaimedJob) -> CompletedAttempt {
        end(
            job, job.claim.step, CallResult(.notSent, mayHaveReached: false),
            .again(
                job.claim.step, after: .zero, reason: "given back: no slot became free in time", countsAttempt: false))
    }

    private func call(
        _ step: Step, _ job: ClaimedJob, _ operation: Operation, _ identity: LeaseTrust.Identity
    ) async -> CompletedAttempt {
        if step == .create, operation.policy.marksBeforeSend,
            !(await marker.mark(job.claim, by: identity.worker))
        {
            let result = CallResult(.notSent, mayHaveReached: false, error: "the mark could not be written")
            return decide(job, step, result, operation, sentAge: nil)
        }
        let sentAt = NIOLockedValueBox<ContinuousClock.Instant?>(nil)
        let call = { @Sendable [self] in
            await caller.call(step, for: job.claim, operation: operation) {
                let now = ContinuousClock.now
                guard self.trust.holds(for: identity, at: now) else { return false }
                if step == .create, let expiry = job.expiry, now >= expiry { return false }
                sentAt.withLockedValue { $0 = now }
                return true
            }
        }
        // Where only a look-up protects a resend, nothing of ours may land after another has looked.
        let endsWithLease = step == .create && operation.policy.resend == .afterLookUp
        let result = endsWithLease ? await whileTrusted(identity, call) : await call()
        let sentAge = sentAt.withLockedValue { $0 }.map { ContinuousClock.now - $0 }
        if step == .create, let sentAge { note(sentAge, of: result, operation.provider) }
        return decide(job, step, result, operation, sentAge: sentAge)
    }

    /// Remembers how long a call took. One that was cut off after a moment tells nothing; one that ran out of time does.
    private func note(_ duration: Duration, of result: CallResult, _ provider: ProviderName) {
        guard result.httpStatus != nil || duration >= decider.longestCall else { return }
        durations.withLockedValue { $0[provider, default: CallDurations()].ended(at: .now, after: duration) }
    }

    /// Cancels the call once the lease is in doubt, which is before others may take the job.
    private func whileTrusted(
        _ identity: LeaseTrust.Identity, _ call: @escaping @Sendable () async -> CallResult
    ) async -> CallResult {
        await withTaskGroup(of: CallResult?.self) { group in
            group.addTask(name: "call") { await call() }
            group.addTask(name: "lease-watch") {
                while !Task.isCancelled, self.trust.holds(for: identity, at: ContinuousClock.now) {
                    // Cancelled: the call has ended.
                    try? await Task.sleep(for: .milliseconds(250))
                }
                return nil
            }
            var result: CallResult?
            for await end in group {
                result = end ?? result
                group.cancelAll()
            }
            return result ?? CallResult(.ambiguous, mayHaveReached: true)
        }
    }

    private func decide(
        _ job: ClaimedJob, _ step: Step, _ result: CallResult, _ operation: Operation, sentAge: Duration?
    ) -> CompletedAttempt {
        let isDone = result.outcome == .succeeded || result.outcome == .adopted
        var decider = decider
        if result.outcome == .notFound {
            let known = durations.withLockedValue { $0[operation.provider] }
            decider.longestCall =
                known?.longest(at: .now, assuming: decider.longestCall) ?? decider.longestCall
        }
        let decision = decider.decide(
            result, for: job.claim, doing: step, policy: operation.policy,
            canLookUp: isDone ? false : operation.canLookUp(job.claim), jitter: isDone ? 0 : Double.random(in: 0...1))
        return end(job, step, result, decision, sentAge: sentAge)
    }

    private func end(
        _ job: ClaimedJob, _ step: Step, _ result: CallResult, _ decision: Decision, sentAge: Duration? = nil
    ) -> CompletedAttempt {
        // Results may wait for a database that is away.
        CompletedAttempt(
            job: job.withoutPayload, step: step, result: result, decision: decision, sentAge: sentAge)
    }
}
