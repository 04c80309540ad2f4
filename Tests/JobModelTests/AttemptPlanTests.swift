import JobModel
import SeededRandom
import Testing

@Suite struct AttemptPlanTests {
    private func plan(_ claim: Claim, _ policy: RecoveryPolicy, canLookUp: Bool? = nil) -> AttemptPlan {
        AttemptPlan(claim, policy: policy, canLookUp: canLookUp ?? policy.offersLookUp)
    }

    @Test(arguments: [Policies.sameKey, Policies.lookUpFirst, Policies.never])
    func `a first attempt creates`(policy: RecoveryPolicy) {
        #expect(plan(makeClaim(), policy) == .create)
    }

    @Test func `a resend goes under the same key while the key lives`() {
        #expect(plan(makeClaim(firstSentAge: .seconds(3600)), Policies.sameKey) == .create)
    }

    @Test func `a key near the end of its life is not sent again before a look-up`() {
        let margin = AttemptPlan.keyMargin
        let age = Duration.seconds(86_400) - margin
        #expect(plan(makeClaim(firstSentAge: age), Policies.sameKey) == .lookUp)
        #expect(plan(makeClaim(firstSentAge: age - .seconds(1)), Policies.sameKey) == .create)
    }

    @Test func `a dead key without a look-up gives up as uncertain`() {
        guard
            case .giveUp(let decision) = plan(
                makeClaim(firstSentAge: .seconds(90_000)), Policies.sameKey, canLookUp: false)
        else { Issue.record("not given up"); return }
        #expect(decision.state == .uncertain)
    }

    @Test func `what may have been sent and can never be asked for is not sent again`() {
        guard case .giveUp(let decision) = plan(makeClaim(firstSentAge: .seconds(1)), Policies.never)
        else { Issue.record("not given up"); return }
        #expect(decision.state == .uncertain)
        #expect(!decision.countsAttempt)
    }

    @Test func `a stored look-up is done where the job can be looked up`() {
        #expect(plan(makeClaim(step: .lookUp, firstSentAge: .seconds(1)), Policies.sameKey) == .lookUp)
        #expect(
            plan(makeClaim(step: .lookUp, firstSentAge: .seconds(1)), Policies.sameKey, canLookUp: false) == .create)
    }

    @Test func `only a proof of absence allows the resend that a look-up protects`() {
        #expect(plan(makeClaim(firstSentAge: .seconds(9), isInDoubt: false), Policies.lookUpFirst) == .create)
        #expect(plan(makeClaim(firstSentAge: .seconds(9)), Policies.lookUpFirst) == .lookUp)
    }

    @Test func `used-up attempts are not exceeded by a job whose worker was lost`() {
        let claim = makeClaim(attempt: 4, maxAttempts: 3, firstSentAge: .seconds(9))
        #expect(plan(claim, Policies.sameKey) == .lookUp)
        #expect(plan(makeClaim(attempt: 3, maxAttempts: 3, firstSentAge: .seconds(9)), Policies.sameKey) == .create)
    }

    @Test func `what is cancelled or over is asked for where it may exist, and else ends`() {
        var expired = makeClaim(firstSentAge: .seconds(9), remaining: .zero)
        #expect(plan(expired, Policies.sameKey) == .lookUp)
        expired.lastSentAge = nil
        #expect(ending(plan(expired, Policies.sameKey)) == .failed)
        #expect(ending(plan(makeClaim(isCancelled: true), Policies.sameKey)) == .cancelled)
        let cancelled = makeClaim(firstSentAge: .seconds(9), isCancelled: true)
        #expect(plan(cancelled, Policies.sameKey) == .lookUp)
        #expect(ending(plan(cancelled, Policies.sameKey, canLookUp: false)) == .uncertain)
    }

    @Test func `after a cancel nothing that creates is sent, whatever else is true`() {
        var random = Seeded(7)
        for _ in 0..<50_000 {
            let policy = [Policies.sameKey, Policies.lookUpFirst, Policies.never].randomElement(using: &random)!
            let claim = makeClaim(
                step: Bool.random(using: &random) ? .create : .lookUp, attempt: Int.random(in: 0...30, using: &random),
                firstSentAge: Bool.random(using: &random) ? .seconds(Int.random(in: 0...100_000, using: &random)) : nil,
                isInDoubt: Bool.random(using: &random), isCancelled: true,
                remaining: Bool.random(using: &random) ? .seconds(Int.random(in: -10...10, using: &random)) : nil,
                lastCreateStatus: [nil, 409, 500].randomElement(using: &random)!)
            let plan = plan(claim, policy, canLookUp: policy.offersLookUp && Bool.random(using: &random))
            #expect(plan != .create)
            if claim.isInDoubt { #expect(ending(plan) != .failed && ending(plan) != .cancelled) }
        }
    }

    private func ending(_ plan: AttemptPlan) -> JobState? {
        if case .giveUp(let decision) = plan { decision.state } else { nil }
    }

    @Test(arguments: [Policies.sameKey, Policies.lookUpFirst, Policies.never])
    func `late evidence is adopted without a call`(policy: RecoveryPolicy) {
        let evidence = Claim.Evidence(providerID: "c-1", providerStatus: "Active")
        #expect(plan(makeClaim(firstSentAge: .seconds(1), evidence: evidence), policy) == .adopt(evidence))
    }
}
