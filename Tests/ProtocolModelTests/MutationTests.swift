import Testing

@testable import ProtocolModel

/// Each rule left out must be missed by an invariant: this tests the invariants.
@Suite(.serialized) struct MutationTests {
    @Test(arguments: Mutation.allCases)
    func `a rule left out is found`(mutation: Mutation) {
        let (policy, invariant) = Self.breaks(mutation)
        // A second line of defence: it matters where the world is slower than was assumed.
        let dropped: Assumption? = mutation == .lateSendForgotten ? .landsWithinHorizon : nil
        let found = Explorer.seek(invariant, Rules(policy, mutation: mutation, without: dropped))
        #expect(found.broken == [invariant])
    }

    @Test func `a late call without an answer is heeded`() {
        let found = Explorer.seek(.lateSendStopsSending, Rules(.lookUp, without: .landsWithinHorizon, maxRounds: 0))
        #expect(found.broken == [])
    }

    /// What a mutation breaks, and for which policy.
    private static func breaks(_ mutation: Mutation) -> (Policy, Invariant) {
        switch mutation {
        case .unfencedCompletion: (.keyed, .oldTokenWritesNothing)
        case .unfencedMark: (.neither, .oldTokenWritesNothing)
        case .claimKeepsToken: (.keyed, .oldTokenWritesNothing)
        case .noMarkBeforeSend: (.neither, .effectAtMostOnce)
        case .noLeaseCheck: (.lookUp, .effectAtMostOnce)
        case .frozenBodyGoesOn: (.lookUp, .effectAtMostOnce)
        case .takeOverBeforeLeaseEnds: (.neither, .effectAtMostOnce)
        case .takeOverForgetsSend: (.neither, .effectAtMostOnce)
        case .lostLookUpIsNoSend: (.keyedBlind, .endWaitsForHorizon)
        case .noTakeOver: (.keyedBlind, .jobIsNeverLost)
        case .newKeyAtResend: (.keyed, .effectAtMostOnce)
        case .keyLifeIgnored: (.keyedBlind, .effectAtMostOnce)
        case .lostCallTakenBack: (.lookUp, .effectAtMostOnce)
        case .noLookUpBeforeResend: (.lookUp, .effectAtMostOnce)
        case .completedWithoutID: (.keyedBlind, .completedHasRecord)
        case .adoptedBlindly: (.lookUp, .completedHasRecord)
        case .doubtWithoutNeed: (.keyedBlind, .doubtIsEarned)
        case .noHorizon: (.lookUp, .effectAtMostOnce)
        case .lastLookUpIsEarly: (.lookUp, .endWaitsForHorizon)
        case .conflictIsEarly: (.keyed, .absenceIsTrue)
        case .keyReplacedEarly: (.keyed, .effectAtMostOnce)
        case .refusalIsEarly: (.keyedBlind, .absenceIsTrue)
        case .horizonCountsFromTheClaim: (.lookUp, .effectAtMostOnce)
        case .takeOverKeepsHorizon: (.keyed, .endWaitsForHorizon)
        case .horizonIsShorterThanACall: (.lookUp, .effectAtMostOnce)
        case .endsInDoubt: (.keyedBlind, .absenceIsTrue)
        case .cancelForgetsSend: (.lookUp, .absenceIsTrue)
        case .cancelTrustsEarlyLookUp: (.lookUp, .absenceIsTrue)
        case .cancelSendsAgain: (.keyedBlind, .cancelStopsSending)
        case .markIgnoresCancel: (.neither, .cancelStopsSending)
        case .lateEvidenceDropped: (.neither, .proofEndsDoubt)
        case .lateEvidenceOverridesEnd: (.keyedBlind, .transitionsAreLegal)
        case .evidenceUnreadByClaims: (.keyedBlind, .proofStopsSending)
        case .doubtDespiteEvidence: (.lookUp, .proofEndsDoubt)
        case .lateSendForgotten: (.lookUp, .lateSendStopsSending)
        }
    }
}
