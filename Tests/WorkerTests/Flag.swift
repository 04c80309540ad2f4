import NIOConcurrencyHelpers

/// A switch that the test turns on.
final class Flag: Sendable {
    private let state = NIOLockedValueBox(false)

    var isSet: Bool { state.withLockedValue { $0 } }

    func set() { state.withLockedValue { $0 = true } }
}
