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
    /// A provider that must be told of first was told of without a mark.
    case sentWithoutMark
    /// A create although an earlier one may have had its effect and nobody has looked since.
    case createdInDoubt
    /// The policy knows no such event.
    case notOfThisPolicy
}
