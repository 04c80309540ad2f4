import JobModel
import JobQueue
import Kinds
import NIOConcurrencyHelpers
import Providers

/// Runs one attempt from its claim to the decision.
final class AttemptRunner: Sendable {
    let registry: Registry
    let caller: any ProviderCaller
    let marker: Marker
    let trust: LeaseTrust
    let decider: AttemptDecider

    init(
        registry: Registry, caller: any ProviderCaller, marker: Marker, trust: LeaseTrust, decider: AttemptDecider
    ) {
        self.registry = registry
        self.caller = caller
        self.marker = marker
        self.trust = trust
        self.decider = decider
    }

    /// Never throws: whatever happens is a result with a decision. When the task is cancelled the call
    /// ends at once, and the result says what may have been sent.
    func run(_ job: ClaimedJob, as identity: LeaseTrust.Identity) async -> CompletedAttempt {
        let claim = job.claim
        guard let definition = registry[claim.kind] else {
            // A kind of a later program: its workers will come for it.
            let result = CallResult(.notSent, mayHaveReached: false, error: "this worker does not know the kind")
            return end(
                job, .create, result,
                .again(claim.step, after: .seconds(60), reason: "left to a newer worker", countsAttempt: false))
        }
        switch AttemptPlan(
            claim, policy: definition.policy, canLookUp: claim.mayNeedLookUp && definition.canLookUp(claim))
        {
        case .create: return await call(.create, job, definition, identity)
        case .lookUp: return await call(.lookUp, job, definition, identity)
        case .adopt(let evidence):
            var result = CallResult(.adopted, mayHaveReached: false)
            result.providerID = evidence.providerID
            result.providerStatus = evidence.providerStatus
            return decide(job, .lookUp, result, definition, sentAge: nil)
        case .giveUp(let decision):
            let outcome = decision.state == .uncertain ? Outcome.ambiguous : .notSent
            return end(job, claim.step, CallResult(outcome, mayHaveReached: false), decision)
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
        _ step: Step, _ job: ClaimedJob, _ definition: KindDefinition, _ identity: LeaseTrust.Identity
    ) async -> CompletedAttempt {
        if step == .create, definition.policy.marksBeforeSend,
            !(await marker.mark(job, digest: definition.requestDigest(of: job.claim)))
        {
            let result = CallResult(.notSent, mayHaveReached: false, error: "the mark could not be written")
            return decide(job, step, result, definition, sentAge: nil)
        }
        let sentAt = NIOLockedValueBox<ContinuousClock.Instant?>(nil)
        let result = await caller.call(step, for: job.claim, as: definition) {
            let now = ContinuousClock.now
            // A look-up creates nothing: it goes on past the job's end.
            guard self.trust.holds(for: identity, at: now), step == .lookUp || job.isInTime(at: now) else {
                return false
            }
            sentAt.withLockedValue { $0 = now }
            return true
        }
        let sentAge = sentAt.withLockedValue { $0 }.map { ContinuousClock.now - $0 }
        return decide(job, step, result, definition, sentAge: sentAge)
    }

    private func decide(
        _ job: ClaimedJob, _ step: Step, _ result: CallResult, _ definition: KindDefinition, sentAge: Duration?
    ) -> CompletedAttempt {
        let isDone = result.outcome == .succeeded || result.outcome == .adopted
        let decision = decider.decide(
            result, for: job.claim, doing: step, policy: definition.policy,
            canLookUp: isDone ? false : definition.canLookUp(job.claim), jitter: isDone ? 0 : Double.random(in: 0...1))
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

extension Claim {
    /// Whether the plan may be a look-up; most claims are first attempts, whose payload need not be read to plan them.
    fileprivate var mayNeedLookUp: Bool { isInDoubt || step == .lookUp }
}
