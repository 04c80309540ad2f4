import SeededRandom
import Testing

@testable import ProtocolModel

@Suite(.serialized) struct TraceCheckerTests {
    @Test func `a job that succeeds at once`() {
        let events: [JobEvent] = [
            .enqueued(.blocked), .unblocked, .claimed(token: 7), .finished(token: 7, .succeeded, next: .waiting),
            .decided(next: .completed),
        ]
        #expect(TraceChecker.check(events, policy: .keyed) == nil)
    }

    @Test func `a lost answer, a look-up, an adoption`() {
        let events: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .finished(token: 1, .unavailable, next: .available),
            .claimed(token: 2), .finished(token: 2, .notFound, next: .available),
            .claimed(token: 3), .takenOver(token: 3, next: .available),
            .claimed(token: 9), .finished(token: 9, .adopted, next: .completed),
            .lateEvidence(token: 3, proves: true),
        ]
        #expect(TraceChecker.check(events, policy: .lookUp) == nil)
    }

    @Test func `a look-up that is turned away needs no mark, a create does`() {
        let sent: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1),
            .finished(token: 1, .unavailable, next: .available), .claimed(token: 2),
            .finished(token: 2, .throttled, next: .available),
        ]
        #expect(TraceChecker.check(sent, policy: .lookUp) == nil)
        let unsent: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .finished(token: 1, .throttled, next: .available),
        ]
        #expect(TraceChecker.check(unsent, policy: .lookUp)?.fault == .sentWithoutMark)
    }

    @Test func `a marked job is uncertain until late evidence proves it`() {
        let events: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1), .takenOver(token: 1, next: .uncertain),
            .lateEvidence(token: 1, proves: true), .provedLate,
        ]
        #expect(TraceChecker.check(events, policy: .neither) == nil)
    }

    @Test func `cancelled, retried, cancelled while running`() {
        let events: [JobEvent] = [
            .enqueued(.available), .cancelled, .retried, .claimed(token: 4), .cancelRequested,
            .finished(token: 4, .notSent, next: .cancelled),
        ]
        #expect(TraceChecker.check(events, policy: .neither) == nil)
    }

    @Test(
        arguments: [
            ([.claimed(token: 1)], TraceFault.notFrom(nil)),
            ([.enqueued(.blocked), .claimed(token: 1)], .notFrom(.blocked)),
            ([.enqueued(.available), .claimed(token: 1), .claimed(token: 2)], .notFrom(.running)),
            (
                [
                    .enqueued(.available), .claimed(token: 1), .takenOver(token: 1, next: .available),
                    .claimed(token: 1),
                ], .tokenIsNotNew
            ),
            (
                [
                    .enqueued(.available), .claimed(token: 1), .takenOver(token: 1, next: .available),
                    .claimed(token: 2), .finished(token: 1, .notSent, next: .available),
                ], .tokenIsOld
            ),
            (
                [.enqueued(.available), .claimed(token: 1), .finished(token: 1, .succeeded, next: .completed)],
                .sentWithoutMark
            ),
            (
                [.enqueued(.available), .claimed(token: 1), .sent(token: 1), .takenOver(token: 1, next: .available)],
                .doesNotLeadTo(.available)
            ),
            (
                [
                    .enqueued(.available), .claimed(token: 1), .sent(token: 1),
                    .finished(token: 1, .ambiguous, next: .available),
                ], .doesNotLeadTo(.available)
            ),
            (
                [.enqueued(.available), .claimed(token: 1), .finished(token: 1, .notSent, next: .cancelled)],
                .doesNotLeadTo(.cancelled)
            ),
            ([.enqueued(.available), .claimed(token: 1), .lateEvidence(token: 1, proves: true)], .evidenceIsNotLate),
            ([.enqueued(.available), .resolved(happened: true, next: .completed)], .notFrom(.available)),
            ([.enqueued(.available), .expired, .cancelled], .notFrom(.failed)),
            (
                [
                    .enqueued(.available), .claimed(token: 1), .sent(token: 1),
                    .finished(token: 1, .succeeded, next: .completed), .retried,
                ], .notFrom(.completed)
            ),
        ] as [([JobEvent], TraceFault)])
    func `the last event is refused`(events: [JobEvent], fault: TraceFault) {
        let finding = TraceChecker.check(events, policy: .neither)
        #expect(finding == TraceChecker.Finding(index: events.count - 1, fault: fault))
    }

    @Test(arguments: Policy.allCases)
    func `every walk through the model is a job's history`(policy: Policy) {
        let rules = Rules(policy, maxAttempts: 3, maxRounds: 2)
        for seed in 0..<UInt64(300) {
            var random = Seeded(seed)
            let walk = Walk(rules, length: 60, using: &random)
            #expect(TraceChecker.check(walk.events, policy: policy) == nil, "seed \(seed): \(walk.events)")
        }
    }

    @Test(arguments: [
        (Policy.keyed, Mutation.unfencedCompletion), (.neither, .noMarkBeforeSend), (.neither, .takeOverForgetsSend),
        (.neither, .lostAnswerSentAgain), (.keyedBlind, .lateEvidenceOverridesEnd),
    ])
    func `some walk through a mutated model is not`(policy: Policy, mutation: Mutation) {
        let rules = Rules(policy, mutation: mutation)
        let refused = (0..<UInt64(1000)).contains { seed in
            var random = Seeded(seed)
            let walk = Walk(rules, length: 60, using: &random)
            return TraceChecker.check(walk.events, policy: policy) != nil
        }
        #expect(refused)
    }
}
