import JobModel
import SeededRandom
import Testing

@Suite struct AttemptDeciderTests {
    @Test(arguments: [Outcome.succeeded, .adopted])
    func `a proven record completes the job`(outcome: Outcome) {
        #expect(decide(outcome).state == .completed)
    }

    @Test(arguments: [Outcome.rejected, .invalidPayload])
    func `a definite refusal fails the job`(outcome: Outcome) {
        #expect(decide(outcome, reached: false).state == .failed)
    }

    @Test func `refused credentials send the job back uncounted and open the circuit`() {
        let decision = decide(.unauthorized, reached: false)
        #expect(decision.state == .available)
        #expect(!decision.countsAttempt)
        #expect(decision.opensCircuit)
    }

    @Test func `a throttle waits as long as asked and holds the provider`() {
        let decision = decide(.throttled, reached: false, retryAfter: .seconds(77))
        #expect(decision.state == .available)
        #expect(decision.delay == .seconds(77))
        #expect(decision.providerHold == .seconds(77))
        #expect(!decision.countsAttempt)
    }

    @Test func `a throttle without a time says nothing of the job: the provider's own hold decides`() {
        let decision = decide(.throttled, for: makeClaim(backoffStep: 13), reached: false)
        #expect(decision.delay == .seconds(1))
        #expect(decision.providerHold == nil)
    }

    @Test func `a throttle that may have had an effect is looked up before it is sent again`() {
        func next(_ policy: RecoveryPolicy) -> Decision {
            decide(.throttled, policy: policy, status: 503, retryAfter: .seconds(9))
        }
        #expect(next(Policies.lookUpFirst).nextStep == .lookUp)
        #expect(next(Policies.lookUpFirst).delay == .seconds(9))
        #expect(next(Policies.sameKey).nextStep == .create)
        #expect(next(Policies.never).state == .uncertain)
        #expect(
            decide(.ambiguous, policy: Policies.never, status: 503, retryAfter: .seconds(9)).providerHold == .seconds(9)
        )
    }

    @Test(arguments: [Policies.sameKey, Policies.lookUpFirst, Policies.never])
    func `what never left this machine is sent again uncounted`(policy: RecoveryPolicy) {
        let decision = decide(.notSent, policy: policy, reached: false)
        #expect(decision.state == .available)
        #expect(decision.nextStep == .create)
        #expect(!decision.countsAttempt)
    }

    @Test func `a lost answer is resent under a living key`() {
        let decision = decide(.unavailable)
        #expect(decision.state == .available)
        #expect(decision.nextStep == .create)
        #expect(decision.countsAttempt)
        #expect(decision.keyUse == .same)
    }

    @Test func `a lost answer is looked up first`() {
        let decision = decide(.unavailable, policy: Policies.lookUpFirst)
        #expect(decision.nextStep == .lookUp)
        #expect(decision.countsAttempt)
    }

    @Test(arguments: [Outcome.ambiguous, .unavailable, .lost])
    func `a lost answer that nothing can tell about is uncertain`(outcome: Outcome) {
        #expect(decide(outcome, policy: Policies.never).state == .uncertain)
    }

    @Test func `a conflict is looked up at once`() {
        let decision = decide(.ambiguous, status: 409)
        #expect(decision.nextStep == .lookUp)
        #expect(decision.delay == .zero)
    }

    @Test func `a conflict leaves no doubt about its own request, and none of the doubt that was there before goes`() {
        for policy in [Policies.sameKey, Policies.lookUpFirst] {
            #expect(decide(.ambiguous, policy: policy, status: 409).provesAbsence)
            #expect(!decide(.ambiguous, policy: policy, status: 302).provesAbsence)
            let doubtful = makeClaim(attempt: 2, firstSentAge: .seconds(9))
            #expect(!decide(.ambiguous, for: doubtful, policy: policy, status: 409).provesAbsence)
        }
        #expect(decide(.ambiguous, policy: Policies.never, status: 409).state == .uncertain)
    }

    @Test func `a look-up in place of a create uses up no attempt`() {
        let claim = makeClaim(attempt: 3, maxAttempts: 3, firstSentAge: .seconds(190))
        #expect(decide(.notFound, for: claim, doing: .lookUp, reached: false).nextStep == .create)
    }

    @Test func `a look-up that finds nothing sends again under the same key`() {
        for status in [nil, 409, 502] {
            let decision = decide(
                .notFound,
                for: makeClaim(
                    step: .lookUp, attempt: 2, firstSentAge: .seconds(160), lastSentAge: .seconds(120),
                    lastCreateStatus: status),
                doing: .lookUp, reached: false)
            #expect(decision.state == .available)
            #expect(decision.nextStep == .create)
            #expect(decision.keyUse == .same)
        }
    }

    @Test func `no look-up that finds nothing is believed before the horizon, and no key is replaced`() {
        for policy in [Policies.sameKey, Policies.lookUpFirst] {
            for status in [nil, 500, 502, 409] {
                var claim = makeClaim(
                    step: .lookUp, attempt: 25, firstSentAge: .seconds(600), lastSentAge: .milliseconds(119_999),
                    lastCreateStatus: status, backoffStep: 9)
                let early = decide(.notFound, for: claim, doing: .lookUp, policy: policy, reached: false)
                #expect(early.state == .available && early.nextStep == .lookUp && early.keyUse == .same)
                #expect(early.delay <= .milliseconds(1) && !early.provesAbsence)
                claim.lastSentAge = .seconds(120)
                let late = decide(.notFound, for: claim, doing: .lookUp, policy: policy, reached: false)
                #expect(late.state == .failed && late.provesAbsence)
            }
        }
    }

    @Test func `the horizon is the claim's own, and the record is looked for before it ends`() {
        var claim = makeClaim(step: .lookUp, firstSentAge: .seconds(60), lastSentAge: .seconds(60), backoffStep: 2)
        let early = decide(.notFound, for: claim, doing: .lookUp, policy: Policies.lookUpFirst, reached: false)
        #expect(early.nextStep == .lookUp && early.delay == .seconds(8))
        claim.effectHorizon = .seconds(60)
        let late = decide(.notFound, for: claim, doing: .lookUp, policy: Policies.lookUpFirst, reached: false)
        #expect(late.nextStep == .create && late.provesAbsence)
    }

    @Test func `a key that holds an error is replaced once nothing can land under it any more`() {
        let claim = makeClaim(
            step: .lookUp, firstSentAge: .seconds(600), lastSentAge: .seconds(120), lastCreateStatus: 500)
        let decision = decide(.notFound, for: claim, doing: .lookUp, reached: false)
        #expect(decision.nextStep == .create)
        #expect(decision.keyUse == .new)
    }

    @Test func `a refusal under a living key ends the job only when no earlier request can have its effect`() {
        let early = decide(
            .rejected, for: makeClaim(attempt: 2, firstSentAge: .seconds(10)), reached: false, status: 422)
        #expect(early.state == .available && early.nextStep == .create && early.keyUse == .same)
        #expect(early.delay == .seconds(110))
        let late = decide(
            .rejected, for: makeClaim(attempt: 2, firstSentAge: .seconds(120)), reached: false, status: 422)
        #expect(late.state == .failed && late.provesAbsence)
        let last = makeClaim(attempt: 25, firstSentAge: .seconds(10))
        #expect(decide(.rejected, for: last, reached: false).nextStep == .lookUp)
        #expect(decide(.rejected, for: last, canLookUp: false, reached: false).state == .uncertain)
        let dead = makeClaim(attempt: 2, firstSentAge: .seconds(90_000), lastSentAge: .seconds(10))
        #expect(decide(.rejected, for: dead, reached: false).nextStep == .lookUp)
    }

    @Test func `a payload that breaks its contract does not end what may exist`() {
        let claim = makeClaim(attempt: 2, firstSentAge: .seconds(10))
        #expect(decide(.invalidPayload, for: claim, reached: false).nextStep == .lookUp)
        #expect(decide(.invalidPayload, for: claim, canLookUp: false, reached: false).state == .uncertain)
        #expect(decide(.invalidPayload, for: claim, doing: .lookUp, reached: false).state == .uncertain)
    }

    @Test func `look-ups that tell nothing are given up after a count and after a time`() {
        var claim = makeClaim(step: .lookUp, firstSentAge: .seconds(60))
        func next(unreadable: Bool) -> Decision {
            var result = CallResult(.unavailable, mayHaveReached: false, httpStatus: 200)
            result.isUnreadable = unreadable
            return AttemptDecider().decide(
                result, for: claim, doing: .lookUp, policy: Policies.sameKey, canLookUp: true, jitter: 1)
        }
        #expect(next(unreadable: true).muteLookUps == 1)
        claim.muteLookUps = 9
        #expect(next(unreadable: true).state == .uncertain)
        #expect(next(unreadable: false).nextStep == .lookUp)
        claim.muteLookUps = 1
        claim.muteAge = .seconds(3600)
        #expect(next(unreadable: true).state == .uncertain)
        #expect(next(unreadable: false).state == .available)
        claim.muteAge = .seconds(7 * 86_400)
        #expect(next(unreadable: false).state == .uncertain)
    }

    @Test func `a record that contradicts the payload needs a person`() {
        let claim = makeClaim(step: .lookUp, firstSentAge: .seconds(60))
        #expect(decide(.ambiguous, for: claim, doing: .lookUp, reached: false).state == .uncertain)
    }

    @Test func `a refused look-up of a cancelled job does not lead back to a create`() {
        let claim = makeClaim(step: .lookUp, firstSentAge: .seconds(60), isCancelled: true)
        #expect(decide(.rejected, for: claim, doing: .lookUp, reached: false).state == .uncertain)
    }

    @Test func `a dead key begins a new life once a look-up found nothing`() {
        let decision = decide(
            .notFound, for: makeClaim(step: .lookUp, firstSentAge: .seconds(90_000), lastSentAge: .seconds(190)),
            doing: .lookUp, reached: false)
        #expect(decision.nextStep == .create)
        #expect(decision.keyUse == .renewed)
    }

    @Test func `a conflict that no look-up explains is asked again with pauses, and fails in the end`() {
        let claim = makeClaim(
            step: .lookUp, attempt: 2, firstSentAge: .seconds(190), lastSentAge: .seconds(190), lastCreateStatus: 409,
            backoffStep: 3)
        #expect(decide(.notFound, for: claim, doing: .lookUp, reached: false).delay == .seconds(16))
        var first = makeClaim(step: .lookUp, firstSentAge: .seconds(9), isInDoubt: false, lastCreateStatus: 409)
        #expect(decide(.notFound, for: first, doing: .lookUp, reached: false).state == .failed)
        // A request before it that asked for patience, and was not counted, may still have its effect.
        first.lastSentAge = .seconds(9)
        #expect(decide(.notFound, for: first, doing: .lookUp, reached: false).nextStep == .lookUp)
        let ending = makeClaim(
            step: .lookUp, attempt: 2, firstSentAge: .seconds(190), lastSentAge: .seconds(190), remaining: .seconds(5),
            lastCreateStatus: 409,
            backoffStep: 3)
        #expect(decide(.notFound, for: ending, doing: .lookUp, reached: false).state == .failed)
    }

    @Test(arguments: [Outcome.throttled, .unavailable])
    func `a wish to come back at once is not followed`(outcome: Outcome) {
        let decision = decide(outcome, for: makeClaim(backoffStep: 2), reached: false, retryAfter: .zero)
        #expect(decision.delay >= .seconds(1))
    }

    @Test func `answers of 500 that look replayed are looked up`() {
        let claim = makeClaim(attempt: 6, firstSentAge: .seconds(60), lastCreateStatus: 500, backoffStep: 5)
        #expect(decide(.unavailable, for: claim, status: 500).nextStep == .lookUp)
        #expect(decide(.unavailable, for: claim, status: 502).nextStep == .create)
    }

    @Test func `used-up attempts fail the job only when nothing can exist`() {
        let last = makeClaim(attempt: 3, maxAttempts: 3)
        #expect(decide(.unavailable, for: last, reached: true).nextStep == .lookUp)
        #expect(decide(.unavailable, for: last, reached: true).state == .available)
        #expect(decide(.unavailable, for: last, canLookUp: false, reached: true).state == .uncertain)
        #expect(decide(.unavailable, for: last, reached: false).state == .failed)
        let lookedUp = makeClaim(
            step: .lookUp, attempt: 3, maxAttempts: 3, firstSentAge: .seconds(190), lastSentAge: .seconds(190))
        #expect(decide(.notFound, for: lookedUp, doing: .lookUp, reached: false).state == .failed)
    }

    @Test func `no wait goes past the end of the job`() {
        let claim = makeClaim(remaining: .seconds(1))
        #expect(decide(.notSent, for: claim, reached: false).state == .failed)
        #expect(decide(.unavailable, for: claim).nextStep == .lookUp)
        #expect(decide(.unavailable, for: claim, canLookUp: false).state == .uncertain)
        let lookingUp = makeClaim(step: .lookUp, firstSentAge: .seconds(9), remaining: .seconds(1))
        let lookUpAgain = decide(.unavailable, for: lookingUp, doing: .lookUp, reached: false)
        #expect(lookUpAgain.state == .available, "a look-up creates nothing: it goes on past the end")
        #expect(lookUpAgain.nextStep == .lookUp)
    }

    @Test func `whatever happens, what may exist never just fails`() {
        var random = Seeded(42)
        let outcomes: [Outcome] = [
            .unavailable, .ambiguous, .notSent, .throttled, .unauthorized, .rejected, .invalidPayload, .notFound,
        ]
        for _ in 0..<20_000 {
            let policy = [Policies.sameKey, Policies.lookUpFirst, Policies.never].randomElement(using: &random)!
            let claim = makeClaim(
                attempt: Int.random(in: 1...25, using: &random),
                firstSentAge: .seconds(Int.random(in: 120...100_000, using: &random)),
                lastSentAge: .seconds(Int.random(in: 0..<120, using: &random)),
                remaining: Bool.random(using: &random) ? .seconds(Int.random(in: 0...4000, using: &random)) : nil,
                lastCreateStatus: [nil, 500, 409].randomElement(using: &random)!,
                backoffStep: Int.random(in: 0...12, using: &random))
            let outcome = outcomes.randomElement(using: &random)!
            let step: Step = outcome == .notFound || Bool.random(using: &random) ? .lookUp : .create
            var result = CallResult(outcome, mayHaveReached: step == .create)
            result.retryAfter = Bool.random(using: &random) ? .seconds(30) : nil
            let canLookUp = policy.offersLookUp && Bool.random(using: &random)
            let decision = AttemptDecider().decide(
                result, for: claim, doing: step, policy: policy, canLookUp: canLookUp,
                jitter: Double.random(in: 0...1, using: &random))
            #expect(decision.state != .failed && decision.state != .cancelled && decision.keyUse == .same)
            #expect(!decision.provesAbsence)
            if step == .create, let remaining = claim.remaining, decision.state == .available {
                #expect(decision.delay < remaining || decision.delay == .zero)
            }
        }
    }
}
