/// One deliberate fault each: a rule of the protocol left out. The explorer must find what it breaks, else the
/// invariants would not notice the rule missing in the code either.
enum Mutation: UInt8, CaseIterable, Hashable {
    /// `complete` writes whatever the token.
    case unfencedCompletion
    /// `mark_sent` writes whatever the token, and the worker sends.
    case unfencedMark
    /// Each claim takes the token that is there.
    case claimKeepsToken
    /// The worker sends without writing its mark.
    case noMarkBeforeSend
    /// A resend makes a new key.
    case newKeyAtResend
    /// The worker does not ask whether it may still believe in its lease.
    case noLeaseCheck
    /// The reaper takes jobs whose worker's lease still runs.
    case takeOverBeforeLeaseEnds
    /// The reaper takes a job that may have been sent for one that was not.
    case takeOverForgetsSend
    /// No reaper runs.
    case noTakeOver
    /// The answer of a lost call leads straight to another send.
    case lostAnswerSentAgain
    /// A job whose step is to look up is sent instead.
    case noLookUpBeforeResend
    /// The first look-up that finds nothing is believed, however early.
    case noSettleTime
    /// A key is used however old it is.
    case keyLifeIgnored
    /// `completed` is written without the provider's id.
    case completedWithoutID
    /// "It exists" is believed without looking.
    case adoptedBlindly
    /// What a fenced-out worker learnt is thrown away.
    case lateEvidenceDropped
    /// Late evidence completes a job in whatever state it is.
    case lateEvidenceOverridesEnd
    /// A lost answer is left to a person although a resend or a look-up is safe.
    case doubtWithoutNeed
    /// A job that may have been sent is cancelled as if it were not.
    case cancelForgetsSend
    /// Used-up attempts end the job at the first look-up, however early.
    case lastLookUpDoesNotSettle
    /// A wish to cancel is heard at a look-up that found nothing, however early.
    case cancelTrustsEarlyLookUp
    /// A wish to cancel that came while the job ran leaves its next step as it was.
    case cancelSendsAgain
    /// A claim reads late evidence only after a backoff; verdicts and retries begin without one.
    case evidenceOnlyAfterBackoff
    /// A retry with a corrected body takes a new key although the job may exist.
    case correctionForgetsTheSend
    /// A worker that stalled sends until the take-over, and the settle time does not count from there.
    case takeOverDoesNotSettle
    /// A call that may have arrived is taken back as if it could not have.
    case lostCallTakenBack
    /// The settle time counts from the claim and not from the end of a call without an answer.
    case settleCountsFromTheClaim
    /// A call goes on although its lease is in doubt, for longer than the settle time: a worker that lost its lease but not its provider may land its
    /// request after the successor's look-up.
    case settleIsShorterThanACall
    /// A keyed job's look-up does not settle: harmless where the same key follows, not where "nothing found" ends the
    /// job and a corrected body follows.
    case keyedLookUpDoesNotSettle
    /// `take_over` and `complete` leave a job uncertain although late evidence is in the journal already.
    case doubtDespiteEvidence
    /// That a job cannot be looked up is unknown, not false, to `take_over`, which sends it again.
    case unknownLookUpIsNotFalse
}
