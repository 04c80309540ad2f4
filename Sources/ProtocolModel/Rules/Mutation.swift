/// One deliberate fault each: a rule of the protocol left out. The explorer must find what it breaks, else the
/// invariants would not notice the rule missing in the code either.
enum Mutation: UInt8, CaseIterable, Hashable {
    // MARK: - Fences and leases

    /// `complete` writes whatever the token.
    case unfencedCompletion
    /// `mark_sent` writes whatever the token, and the worker sends.
    case unfencedMark
    /// Each claim takes the token that is there.
    case claimKeepsToken
    /// The worker sends without writing its mark.
    case noMarkBeforeSend
    /// The worker does not ask whether it may still believe in its lease.
    case noLeaseCheck
    /// A worker that was frozen while it sent a body goes on with it, whatever became of its lease.
    case frozenBodyGoesOn
    /// The reaper takes jobs whose worker's lease still runs.
    case takeOverBeforeLeaseEnds
    /// The reaper takes a job that may have been sent for one that was not.
    case takeOverForgetsSend
    /// A job that was to be looked up counts as not sent at its take-over, although its worker could not look it up and sent
    /// it under its key.
    case lostLookUpIsNoSend
    /// No reaper runs.
    case noTakeOver

    // MARK: - Keys and look-ups

    /// A resend makes a new key.
    case newKeyAtResend
    /// A key is used however old it is.
    case keyLifeIgnored
    /// A call that may have arrived is taken back as if it could not have.
    case lostCallTakenBack
    /// A job in doubt is sent again where it must be looked up.
    case noLookUpBeforeResend
    /// `completed` is written without the provider's id.
    case completedWithoutID
    /// "It exists" is believed without looking.
    case adoptedBlindly
    /// A lost answer is left to a person although a resend or a look-up is safe.
    case doubtWithoutNeed

    // MARK: - The effect horizon

    /// The first look-up that finds nothing is believed, however early.
    case noHorizon
    /// Used-up attempts end the job at the first look-up, however early.
    case lastLookUpIsEarly
    /// A conflict makes the first look-up final, however early, although an uncounted request went before it.
    case conflictIsEarly
    /// A key that holds an error is replaced before the horizon.
    case keyReplacedEarly
    /// A refusal ends the job although an earlier request may still have its effect.
    case refusalIsEarly
    /// The horizon counts from the claim and not from the end of a call without an answer.
    case horizonCountsFromTheClaim
    /// The horizon does not count from a take-over: a worker that stalled may have sent until then.
    case takeOverKeepsHorizon
    /// The horizon is shorter than a call may take.
    case horizonIsShorterThanACall
    /// `complete` ends a job as `failed` or `cancelled` although an earlier request may still have its effect.
    case endsInDoubt

    // MARK: - Cancels

    /// A job that may have been sent is cancelled as if it were not.
    case cancelForgetsSend
    /// A wish to cancel is heard at a look-up that found nothing, however early.
    case cancelTrustsEarlyLookUp
    /// A job is planned without regard to a wish to cancel.
    case cancelSendsAgain
    /// `mark_sent` does not see a wish to cancel that came after the claim.
    case markIgnoresCancel

    // MARK: - Late evidence

    /// What a fenced-out worker learnt is thrown away.
    case lateEvidenceDropped
    /// Late evidence completes a job in whatever state it is.
    case lateEvidenceOverridesEnd
    /// Claims do not read late evidence.
    case evidenceUnreadByClaims
    /// `complete` leaves a job uncertain although late evidence is in the journal already.
    case doubtDespiteEvidence
    /// A fenced-out worker's call without an answer does not put the job in doubt again.
    case lateSendForgotten
}
