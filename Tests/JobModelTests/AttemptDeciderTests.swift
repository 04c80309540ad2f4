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

    @Test func `a throttle without a time backs off`() {
        let decision = decide(.throttled, for: makeClaim(backoffStep: 2), reached: false)
        #expect(decision.delay == .seconds(8))
        #expect(decision.providerHold == .seconds(8))
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

    @Test func `a look-up that finds nothing sends again under the same key`() {
        for status in [nil, 409, 502] {
            let decision = decide(
                .notFound,
                for: makeClaim(
                    step: .lookUp, attempt: 2, firstSentAge: .seconds(60), lastSentAge: .seconds(60),
                    lastCreateStatus: status),
                doing: .lookUp, reached: false)
            #expect(decision.state == .available)
            #expect(decision.nextStep == .create)
            #expect(decision.keyUse == .same)
        }
    }

    @Test func `a key that holds an error is replaced once nothing can land under it any more`() {
        var claim = makeClaim(
            step: .lookUp, firstSentAge: .seconds(600), lastSentAge: .seconds(3), lastCreateStatus: 500)
        let early = decide(.notFound, for: claim, doing: .lookUp, reached: false)
        #expect(early.nextStep == .lookUp)
        #expect(early.delay == .seconds(5))
        #expect(early.keyUse == .same)
        claim.lastSentAge = nil
        #expect(decide(.notFound, for: claim, doing: .lookUp, reached: false).nextStep == .lookUp)
        claim.lastSentAge = .seconds(46)
        let late = decide(.notFound, for: claim, doing: .lookUp, reached: false)
        #expect(late.nextStep == .create)
        #expect(late.keyUse == .new)
    }

    @Test func `a dead key begins a new life once a look-up found nothing`() {
        let decision = decide(
            .notFound, for: makeClaim(step: .lookUp, firstSentAge: .seconds(90_000), lastSentAge: .seconds(90)),
            doing: .lookUp, reached: false)
        #expect(decision.nextStep == .create)
        #expect(decision.keyUse == .renewed)
    }

    @Test func `a conflict that no look-up explains is asked again with pauses, and fails in the end`() {
        let claim = makeClaim(
            step: .lookUp, attempt: 2, firstSentAge: .seconds(90), lastSentAge: .seconds(90), lastCreateStatus: 409,
            backoffStep: 3)
        #expect(decide(.notFound, for: claim, doing: .lookUp, reached: false).delay == .seconds(16))
        let first = makeClaim(step: .lookUp, firstSentAge: .seconds(9), lastCreateStatus: 409)
        #expect(decide(.notFound, for: first, doing: .lookUp, reached: false).state == .failed)
        let ending = makeClaim(
            step: .lookUp, attempt: 2, firstSentAge: .seconds(90), lastSentAge: .seconds(90), remaining: .seconds(5),
            lastCreateStatus: 409,
            backoffStep: 3)
        #expect(decide(.notFound, for: ending, doing: .lookUp, reached: false).state == .failed)
    }

    @Test(arguments: [Outcome.throttled, .unavailable])
    func `a wish to come back at once is not followed`(outcome: Outcome) {
        let decision = decide(outcome, for: makeClaim(backoffStep: 2), reached: false, retryAfter: .zero)
        #expect(decision.delay >= .seconds(1))
    }

    @Test func `a look-up too soon after the send is repeated before anything is sent`() {
        let decision = decide(
            .notFound, for: makeClaim(step: .lookUp, firstSentAge: .seconds(60), lastSentAge: .seconds(2)),
            doing: .lookUp, policy: Policies.lookUpFirst, reached: false)
        #expect(decision.nextStep == .lookUp)
        #expect(decision.delay == .seconds(6))
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
            step: .lookUp, attempt: 3, maxAttempts: 3, firstSentAge: .seconds(90), lastSentAge: .seconds(90))
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

    @Test func `a call that was not answered may be at work for as long as a call may take`() {
        let decider = AttemptDecider(settle: .seconds(8), longestCall: .seconds(30))
        func afterNotFound(_ age: Duration, answered: Int?) -> Decision {
            let claim = makeClaim(step: .lookUp, firstSentAge: age, lastCreateStatus: answered)
            return decider.decide(
                CallResult(.notFound, mayHaveReached: false), for: claim, doing: .lookUp, policy: Policies.lookUpFirst,
                canLookUp: true, jitter: 0)
        }
        #expect(afterNotFound(.seconds(20), answered: nil).nextStep == .lookUp)
        #expect(afterNotFound(.seconds(20), answered: nil).delay == .seconds(18))
        #expect(afterNotFound(.seconds(38), answered: nil).nextStep == .create)
        #expect(afterNotFound(.seconds(20), answered: 503).nextStep == .create)
    }

    @Test func `whatever happens, what may exist never just fails`() {
        var random = Seeded(42)
        let outcomes: [Outcome] = [.unavailable, .ambiguous, .notSent, .throttled, .unauthorized]
        for _ in 0..<20_000 {
            let policy = [Policies.sameKey, Policies.lookUpFirst, Policies.never].randomElement(using: &random)!
            let claim = makeClaim(
                attempt: Int.random(in: 1...25, using: &random),
                firstSentAge: .seconds(Int.random(in: 1...100_000, using: &random)),
                remaining: Bool.random(using: &random) ? .seconds(Int.random(in: 0...4000, using: &random)) : nil,
                lastCreateStatus: [nil, 500, 409].randomElement(using: &random)!,
                backoffStep: Int.random(in: 0...12, using: &random))
            var result = CallResult(outcomes.randomElement(using: &random)!, mayHaveReached: true)
            result.retryAfter = Bool.random(using: &random) ? .seconds(30) : nil
            let canLookUp = policy.offersLookUp && Bool.random(using: &random)
            let decision = AttemptDecider().decide(
                result, for: claim, doing: .create, policy: policy, canLookUp: canLookUp,
                jitter: Double.random(in: 0...1, using: &random))
            #expect(decision.state != .failed)
            if let remaining = claim.remaining, decision.state == .available {
                #expect(decision.delay < remaining || decision.delay == .zero)
            }
        }
    }
}
