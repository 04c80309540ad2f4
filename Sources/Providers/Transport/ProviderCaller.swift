package import JobModel
package import Kinds

/// Makes one provider call for one claim.
package protocol ProviderCaller: Sendable {
    /// Does `step` for `claim` and tells how it ended.
    ///
    /// Never throws: whatever goes wrong is an outcome. `willSend` is asked before anything is done, and again for each
    /// request at the moment at which its last piece is written; before the last yes no request can have had an effect.
    /// When it says no, the outcome is `.notSent`. A byte that was written leaves within eight seconds or never.
    /// Cancelling ends the call at once; what may have been sent by then is said by the result.
    func call(
        _ step: Step, for claim: Claim, as definition: KindDefinition, willSend: @escaping @Sendable () -> Bool
    ) async -> CallResult
}
