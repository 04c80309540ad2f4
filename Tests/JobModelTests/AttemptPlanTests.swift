import JobModel
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

    @Test func `a look-up that found nothing allows the resend that it protects`() {
        #expect(plan(makeClaim(step: .create, firstSentAge: .seconds(9)), Policies.lookUpFirst) == .create)
    }

    @Test(arguments: [Policies.sameKey, Policies.lookUpFirst, Policies.never])
    func `late evidence is adopted without a call`(policy: RecoveryPolicy) {
        let evidence = Claim.Evidence(providerID: "c-1", providerStatus: "Active")
        #expect(plan(makeClaim(firstSentAge: .seconds(1), evidence: evidence), policy) == .adopt(evidence))
    }
}
