import JobModel
import Kinds
import NIOConcurrencyHelpers
import Providers

/// A provider inside the test: answers by a rule and keeps a ledger of what it was asked.
final class ScriptedCaller: ProviderCaller {
    /// One call as the provider saw it.
    struct Call: Sendable, Equatable {
        let job: JobID
        let provider: ProviderName
        let step: Step
        let key: String
        let at: ContinuousClock.Instant
    }

    typealias Rule = @Sendable (Step, Claim) async -> CallResult

    private let rule: Rule
    private let state = NIOLockedValueBox<(calls: [Call], inFlight: Int, peak: Int)>(([], 0, 0))

    init(_ rule: @escaping Rule = { _, claim in ScriptedCaller.created(claim) }) {
        self.rule = rule
    }

    /// All calls so far, in order.
    var calls: [Call] { state.withLockedValue { $0.calls } }

    /// The most calls that were ever in flight together.
    var peak: Int { state.withLockedValue { $0.peak } }

    /// The answer of a provider that made the record.
    static func created(_ claim: Claim) -> CallResult {
        var result = CallResult(.succeeded, mayHaveReached: true, httpStatus: 201)
        result.providerID = "record-\(claim.id)"
        return result
    }

    func call(
        _ step: Step, for claim: Claim, as definition: KindDefinition, willSend: @escaping @Sendable () -> Bool
    ) async -> CallResult {
        guard willSend() else { return CallResult(.notSent, mayHaveReached: false) }
        state.withLockedValue {
            $0.calls.append(
                Call(job: claim.id, provider: definition.provider, step: step, key: claim.idempotencyKey, at: .now))
            $0.inFlight += 1
            $0.peak = max($0.peak, $0.inFlight)
        }
        defer { state.withLockedValue { $0.inFlight -= 1 } }
        return await rule(step, claim)
    }
}

/// A door that calls wait at until the test opens it, or until they are cancelled.
final class Gate: Sendable {
    private let isOpen = NIOLockedValueBox(false)

    func open() { isOpen.withLockedValue { $0 = true } }

    /// True when the gate was opened, false when the call was cancelled first.
    func pass() async -> Bool {
        while !isOpen.withLockedValue({ $0 }) {
            if Task.isCancelled { return false }
            // Cancelled: the loop ends.
            try? await Task.sleep(for: .milliseconds(2))
        }
        return true
    }
}
