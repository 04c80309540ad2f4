import Testing

@testable import ProtocolModel

/// Each rule left out must be missed by an invariant: this tests the invariants.
@Suite(.serialized) struct MutationTests {
    @Test(arguments: Mutation.allCases)
    func `a rule left out is found`(mutation: Mutation) {
        let (policy, invariant) = Self.breaks(mutation)
        let found = Explorer.seek(invariant, Rules(policy, mutation: mutation))
        #expect(found.broken == [invariant])
    }

    /// What a mutation breaks, and for which policy.
    private static func breaks(_ mutation: Mutation) -> (Policy, Invariant) {
        switch mutation {
        case .unfencedCompletion: (.keyed, .oldTokenWritesNothing)
        case .unfencedMark: (.neither, .oldTokenWritesNothing)
        case .claimKeepsToken: (.keyed, .oldTokenWritesNothing)
        case .noMarkBeforeSend: (.neither, .effectAtMostOnce)
        case .newKeyAtResend: (.keyed, .effectAtMostOnce)
        case .noLeaseCheck: (.lookUp, .effectAtMostOnce)
        case .takeOverBeforeLeaseEnds: (.neither, .effectAtMostOnce)
        case .takeOverForgetsSend: (.neither, .effectAtMostOnce)
        case .noTakeOver: (.keyedBlind, .jobIsNeverLost)
        case .lostAnswerSentAgain: (.neither, .effectAtMostOnce)
        case .noLookUpBeforeResend: (.lookUp, .effectAtMostOnce)
        case .noSettleTime: (.lookUp, .effectAtMostOnce)
        case .keyLifeIgnored: (.keyedBlind, .effectAtMostOnce)
        case .completedWithoutID: (.keyedBlind, .completedHasRecord)
        case .adoptedBlindly: (.lookUp, .completedHasRecord)
        case .lateEvidenceDropped: (.neither, .proofEndsDoubt)
        case .lateEvidenceOverridesEnd: (.keyedBlind, .transitionsAreLegal)
        case .doubtWithoutNeed: (.keyedBlind, .doubtIsEarned)
        case .cancelForgetsSend: (.lookUp, .absenceIsTrue)
        case .lastLookUpDoesNotSettle: (.lookUp, .absenceIsTrue)
        case .cancelTrustsEarlyLookUp: (.lookUp, .absenceIsTrue)
        case .cancelSendsAgain: (.keyed, .cancelStopsSending)
        case .evidenceOnlyAfterBackoff: (.keyedBlind, .proofStopsSending)
        case .correctionForgetsTheSend: (.keyedBlind, .effectAtMostOnce)
        case .takeOverDoesNotSettle: (.lookUp, .effectAtMostOnce)
        case .lostCallTakenBack: (.lookUp, .effectAtMostOnce)
        case .settleCountsFromTheClaim: (.lookUp, .effectAtMostOnce)
        case .settleIsShorterThanACall: (.lookUp, .effectAtMostOnce)
        case .keyedLookUpDoesNotSettle: (.keyed, .absenceIsTrue)
        case .unknownLookUpIsNotFalse: (.keyedBlind, .attemptsAreBounded)
        case .doubtDespiteEvidence: (.lookUp, .proofEndsDoubt)
        }
    }
}
