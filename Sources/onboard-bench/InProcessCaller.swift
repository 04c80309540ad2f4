import JobModel
import Kinds
import Providers

/// A provider that answers inside the process, so that what is measured is the queue and the daemon alone.
struct InProcessCaller: ProviderCaller {
    let delay: Duration

    func call(
        _ step: Step, for claim: Claim, as definition: KindDefinition, willSend: @Sendable () -> Bool
    ) async -> CallResult {
        guard willSend() else { return CallResult(.notSent, mayHaveReached: false) }
        if delay > .zero {
            do {
                try await Task.sleep(for: delay)
            } catch {
                return CallResult(.unavailable, mayHaveReached: true, error: "cancelled")
            }
        }
        var result = CallResult(.succeeded, mayHaveReached: true, httpStatus: 201)
        result.providerID = "bench-\(claim.id)"
        return result
    }
}
