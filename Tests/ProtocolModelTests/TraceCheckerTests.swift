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
            .enqueued(.available), .claimed(token: 1), .sent(token: 1),
            .finished(token: 1, .unavailable, next: .available),
            .claimed(token: 2, step: .lookUp), .finished(token: 2, .notFound, next: .available),
            .claimed(token: 3), .sent(token: 3), .takenOver(token: 3, next: .available),
            .claimed(token: 9, step: .lookUp), .finished(token: 9, .adopted, next: .completed),
            .lateEvidence(token: 3, proves: true),
        ]
        #expect(TraceChecker.check(events, policy: .lookUp) == nil)
    }

    @Test func `a look-up that is turned away needs no mark, a create does`() {
        let sent: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1),
            .finished(token: 1, .unavailable, next: .available), .claimed(token: 2, step: .lookUp),
            .finished(token: 2, .throttled, next: .available),
        ]
        #expect(TraceChecker.check(sent, policy: .lookUp) == nil)
        let unsent: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .finished(token: 1, .throttled, next: .available),
        ]
        #expect(TraceChecker.check(unsent, policy: .lookUp)?.fault == .sentWithoutMark)
    }

    @Test(arguments: [
        (Policy.lookUp, JobEvent.takenOver(token: 1, next: .available)),
        (.lookUp, .finished(token: 1, .unavailable, next: .available)),
        (.lookUp, .finished(token: 1, .ambiguous, next: .available)),
        (.keyed, .finished(token: 1, .ambiguous, next: .available)),
    ])
    func `a create in doubt is followed by a look-up`(policy: Policy, doubt: JobEvent) {
        let mark: [JobEvent] = policy == .lookUp ? [.sent(token: 1)] : []
        let doubtful = [.enqueued(.available), .claimed(token: 1)] + mark + [doubt]
        let between: [(events: [JobEvent], isEnough: Bool)] = [
            ([], false),
            (
                [.claimed(token: 2, step: .lookUp), .finished(token: 2, .throttled, next: .available)], false
            ),
            ([.claimed(token: 2, step: .lookUp), .takenOver(token: 2, next: .available)], false),
            ([.claimed(token: 2, step: .lookUp), .finished(token: 2, .notFound, next: .available)], true),
        ]
        for (events, isEnough) in between {
            let finding = TraceChecker.check(doubtful + events + [.claimed(token: 3)], policy: policy)
            #expect(finding?.fault == (isEnough ? nil : .createdInDoubt), "\(events)")
        }
    }

    @Test func `a key lets a lost answer be sent again, but not cancelled`() {
        let sent: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .finished(token: 1, .unavailable, next: .available),
            .claimed(token: 2), .takenOver(token: 2, next: .available), .claimed(token: 3), .cancelRequested,
        ]
        for policy in [Policy.keyed, .keyedBlind] {
            #expect(TraceChecker.check(sent, policy: policy) == nil)
            let cancelled = sent + [.finished(token: 3, .notSent, next: .cancelled)]
            #expect(TraceChecker.check(cancelled, policy: policy)?.fault == .doesNotLeadTo(.cancelled))
        }
        let uncertain = sent + [.finished(token: 3, .unavailable, next: .uncertain)]
        #expect(TraceChecker.check(uncertain, policy: .keyedBlind) == nil)
    }

    @Test func `a provider that cannot be asked answers no look-up`() {
        for outcome in [AttemptOutcome.adopted, .notFound] {
            let events: [JobEvent] = [
                .enqueued(.available), .claimed(token: 1), .finished(token: 1, .unavailable, next: .available),
                .claimed(token: 2, step: .lookUp),
                .finished(token: 2, outcome, next: outcome == .adopted ? .completed : .available),
            ]
            #expect(TraceChecker.check(events, policy: .keyedBlind)?.index == 4)
            #expect(TraceChecker.check(events, policy: .keyed) == nil)
        }
    }

    @Test func `a verdict and a retry end the doubt only where they may`() {
        let doubtful: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1),
            .finished(token: 1, .unavailable, next: .available), .cancelRequested, .claimed(token: 2, step: .lookUp),
        ]
        let unknown = doubtful + [.finished(token: 2, .throttled, next: .uncertain)]
        let resolved: [JobEvent] = [.resolved(happened: false, next: .cancelled), .retried, .claimed(token: 3)]
        #expect(TraceChecker.check(unknown + resolved, policy: .lookUp) == nil)
        let denied = doubtful + [.finished(token: 2, .notFound, next: .cancelled), .retried, .claimed(token: 3)]
        #expect(TraceChecker.check(denied, policy: .lookUp) == nil)
        let refused = doubtful + [.finished(token: 2, .rejected, next: .failed), .retried, .claimed(token: 3)]
        #expect(TraceChecker.check(refused, policy: .lookUp)?.fault == .createdInDoubt)
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
        (.neither, .lostAnswerSentAgain), (.keyedBlind, .lateEvidenceOverridesEnd), (.lookUp, .lostAnswerSentAgain),
        (.lookUp, .noLookUpBeforeResend), (.lookUp, .takeOverForgetsSend), (.keyed, .noLookUpBeforeResend),
    ])
    func `some walk through a mutated model is not`(policy: Policy, mutation: Mutation) {
        let rules = Rules(policy, mutation: mutation)
        let refused = (0..<UInt64(20_000)).contains { seed in
            var random = Seeded(seed)
            let walk = Walk(rules, length: 60, using: &random)
            return TraceChecker.check(walk.events, policy: policy) != nil
        }
        #expect(refused)
    }
}
