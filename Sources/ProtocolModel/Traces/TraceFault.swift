/// Why a trace is not a job's.
package enum TraceFault: Hashable {
    /// The event cannot happen to a job in this state.
    case notFrom(RowState?)
    /// A claim took a token that an earlier one had.
    case tokenIsNotNew
    /// Something was written under a token that is not the job's.
    case tokenIsOld
    /// Late evidence came under the token that still holds the job, or under one that never did.
    case evidenceIsNotLate
    /// The change of state does not follow from what happened.
    case doesNotLeadTo(RowState)
    /// An answer came to a create that was not sent.
    case answeredWithoutSend
    /// A create although an earlier one may have had its effect, and neither its key nor a look-up makes that harmless.
    case createdInDoubt
    /// A create for a claim that was made after a wish to cancel.
    case createdAfterCancel
    /// "Nothing found" or a refusal was believed while an earlier request could still have its effect.
    case believedTooEarly
}
