package import JobModel

/// Makes one provider call for one claim.
package protocol ProviderCaller: Sendable {
    /// Does `step` for `claim` and tells how it ended.
    ///
    /// Never throws: whatever goes wrong is an outcome. `willSend` runs before anything is done and
    /// again when a connection stands and the body, without which no request has an effect, is about to be written; when
    /// it says no, the outcome is `.notSent`.
    /// Cancelling ends the call at once; what may have been sent by then is said by the result.
    func call(
        _ step: Step, for claim: Claim, operation: Operation, willSend: @escaping @Sendable () -> Bool
    ) async -> CallResult
}
