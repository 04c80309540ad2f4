import SeededRandom
import Testing

@testable import ProtocolModel

@Suite(.serialized) struct TraceCheckerTests {
    @Test func `a job that succeeds at once`() {
        let events: [JobEvent] = [
            .enqueued(.blocked), .unblocked, .claimed(token: 7), .sent(token: 7),
            .finished(token: 7, .succeeded, next: .waiting),
            .decided(next: .completed),
        ]
        #expect(TraceChecker.check(events, policy: .keyed) == nil)
    }

    @Test func `a lost answer, look-ups before and after the horizon, another send, an adoption`() {
        let events: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1),
            .finished(token: 1, .unavailable, next: .available, then: .lookUp),
            .claimed(token: 2, step: .lookUp), .finished(token: 2, .notFound, next: .available, then: .lookUp),
            .horizonPassed, .claimed(token: 3, step: .lookUp), .finished(token: 3, .notFound, next: .available),
            .claimed(token: 4), .sent(token: 4), .takenOver(token: 4, next: .available),
            .claimed(token: 9, step: .lookUp), .finished(token: 9, .adopted, next: .completed),
            .lateEvidence(token: 4, proves: true, reached: true),
        ]
        #expect(TraceChecker.check(events, policy: .lookUp) == nil)
    }

    @Test func `a taken-over job ends uncertain where nothing can tell`() {
        let lost: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1), .takenOver(token: 1, next: .available),
            .claimed(token: 2),
        ]
        let uncertain =
            lost + [
                .finished(token: 2, .ambiguous, next: .uncertain), .lateEvidence(token: 1, proves: true, reached: true),
                .provedLate,
            ]
        #expect(TraceChecker.check(uncertain, policy: .neither) == nil)
        #expect(TraceChecker.check(lost + [.sent(token: 2)], policy: .neither)?.fault == .createdInDoubt)
        #expect(TraceChecker.check(lost + [.sent(token: 2)], policy: .keyed) == nil)
    }

    @Test func `a job that cannot be looked up may have been sent when its worker is lost, whatever was to be done`() {
        let lost: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1),
            .finished(token: 1, .unavailable, next: .available),
            .claimed(token: 2), .finished(token: 2, .ambiguous, next: .uncertain),
            .resolved(happened: false, next: .available),
            .claimed(token: 3, step: .lookUp), .takenOver(token: 3, step: .lookUp, next: .available),
            .claimed(token: 4, step: .lookUp), .finished(token: 4, .ambiguous, next: .uncertain),
        ]
        #expect(TraceChecker.check(lost, policy: .keyedBlind) == nil)
    }

    /// A create in doubt, by who may still act on it.
    private static let doubts: [(Policy, [JobEvent])] = [
        (.lookUp, [.sent(token: 1), .takenOver(token: 1, next: .available)]),
        (.lookUp, [.sent(token: 1), .finished(token: 1, .unavailable, next: .available, then: .lookUp)]),
        (.lookUp, [.sent(token: 1), .finished(token: 1, .busy, next: .available, then: .lookUp)]),
        (.keyed, [.sent(token: 1), .finished(token: 1, .ambiguous, next: .available, then: .lookUp)]),
    ]

    @Test(arguments: doubts)
    func `a create in doubt is followed by a look-up after the horizon`(policy: Policy, doubt: [JobEvent]) {
        let doubtful = [.enqueued(.available), .claimed(token: 1)] + doubt
        let look = JobEvent.claimed(token: 2, step: .lookUp)
        let absent = JobEvent.finished(token: 2, .notFound, next: .available)
        let between: [(events: [JobEvent], fault: TraceFault?)] = [
            ([], .createdInDoubt),
            ([look, .finished(token: 2, .throttled, next: .available, then: .lookUp)], .createdInDoubt),
            ([look, .takenOver(token: 2, next: .available)], .createdInDoubt),
            ([look, .finished(token: 2, .notFound, next: .available, then: .lookUp)], .createdInDoubt),
            ([look, absent], .believedTooEarly),
            ([look, .horizonPassed, absent], .believedTooEarly),
            ([look, .finished(token: 2, .notFound, next: .failed)], .believedTooEarly),
            ([.horizonPassed, look, absent], nil),
            (
                [.horizonPassed, look, .lateEvidence(token: 1, proves: false, reached: true), absent],
                .createdInDoubt
            ),
        ]
        for (events, fault) in between {
            let finding = TraceChecker.check(
                doubtful + events + [.claimed(token: 3), .sent(token: 3)], policy: policy)
            #expect(finding?.fault == fault, "\(events)")
        }
    }

    @Test func `a key lets a lost answer be sent again, but not after a cancel`() {
        let sent: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .finished(token: 1, .ambiguous, next: .available),
            .claimed(token: 2), .takenOver(token: 2, next: .available),
        ]
        for policy in [Policy.keyedBlind] {
            #expect(TraceChecker.check(sent + [.claimed(token: 3), .sent(token: 3)], policy: policy) == nil)
            let running = sent + [.claimed(token: 3), .cancelRequested, .sent(token: 3)]
            #expect(TraceChecker.check(running, policy: policy) == nil)
            let cancelled = running + [.finished(token: 3, .notSent, next: .cancelled)]
            #expect(TraceChecker.check(cancelled, policy: policy)?.fault == .doesNotLeadTo(.cancelled))
            let asked = sent + [.cancelRequested, .claimed(token: 3)]
            #expect(TraceChecker.check(asked + [.sent(token: 3)], policy: policy)?.fault == .createdAfterCancel)
            let uncertain = asked + [.finished(token: 3, .ambiguous, next: .uncertain)]
            #expect(TraceChecker.check(uncertain, policy: policy) == nil)
            #expect(TraceChecker.check(sent + [.cancelled], policy: policy)?.fault == .doesNotLeadTo(.cancelled))
        }
    }

    @Test func `a refusal under a key ends the job after the horizon only`() {
        let sent: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1),
            .finished(token: 1, .unavailable, next: .available),
        ]
        let refused: [JobEvent] = [
            .claimed(token: 2), .sent(token: 2), .finished(token: 2, .rejected, next: .failed),
        ]
        #expect(TraceChecker.check(sent + refused, policy: .keyedBlind)?.fault == .believedTooEarly)
        #expect(TraceChecker.check(sent + [.horizonPassed] + refused, policy: .keyedBlind) == nil)
        let again: [JobEvent] = [
            .claimed(token: 3), .sent(token: 3), .finished(token: 3, .rejected, next: .available), .horizonPassed,
        ]
        #expect(TraceChecker.check(sent + again + refused, policy: .keyedBlind) == nil)
    }

    @Test func `a cancelled job ends after a look-up, whatever it finds`() {
        let asked: [JobEvent] = [
            .enqueued(.available), .claimed(token: 1), .sent(token: 1),
            .finished(token: 1, .unavailable, next: .available, then: .lookUp), .cancelRequested, .horizonPassed,
            .claimed(token: 2, step: .lookUp),
        ]
        let denied = asked + [.finished(token: 2, .notFound, next: .cancelled), .retried, .claimed(token: 3)]
        #expect(TraceChecker.check(denied + [.sent(token: 3)], policy: .lookUp) == nil)
        let found = asked + [.finished(token: 2, .adopted, next: .completed)]
        #expect(TraceChecker.check(found, policy: .lookUp) == nil)
        let unknown = asked + [.finished(token: 2, .ambiguous, next: .uncertain)]
        let resolved: [JobEvent] = [.resolved(happened: false, next: .cancelled), .retried, .claimed(token: 3)]
        #expect(TraceChecker.check(unknown + resolved + [.sent(token: 3)], policy: .lookUp) == nil)
    }

    @Test func `a provider that cannot be asked answers no look-up`() {
        for outcome in [AttemptOutcome.adopted, .notFound] {
            let events: [JobEvent] = [
                .enqueued(.available), .claimed(token: 1), .sent(token: 1),
                .finished(token: 1, .unavailable, next: .available), .horizonPassed, .claimed(token: 2, step: .lookUp),
                .finished(token: 2, outcome, next: outcome == .adopted ? .completed : .available),
            ]
            #expect(TraceChecker.check(events, policy: .keyedBlind)?.index == 6)
            #expect(TraceChecker.check(events, policy: .keyed) == nil)
        }
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
                .answeredWithoutSend
            ),
            (
                [.enqueued(.available), .claimed(token: 1), .sent(token: 1), .takenOver(token: 1, next: .uncertain)],
                .doesNotLeadTo(.uncertain)
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
            (
                [.enqueued(.available), .claimed(token: 1), .lateEvidence(token: 1, proves: true, reached: true)],
                .evidenceIsNotLate
            ),
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
        (Policy.keyed, Mutation.unfencedCompletion), (.neither, .takeOverForgetsSend),
        (.keyedBlind, .lateEvidenceOverridesEnd), (.lookUp, .noLookUpBeforeResend), (.lookUp, .takeOverForgetsSend),
        (.keyed, .noLookUpBeforeResend), (.lookUp, .noHorizon),
        (.keyed, .cancelSendsAgain), (.lookUp, .cancelForgetsSend), (.keyedBlind, .endsInDoubt),
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
