import NIOConcurrencyHelpers

/// How often each fault met what it was meant for.
final class Tally: Sendable {
    private let counts = NIOLockedValueBox<[String: Int]>([:])

    func add(_ name: String, _ count: Int = 1) {
        counts.withLockedValue { $0[name, default: 0] += count }
    }

    var description: String {
        counts.withLockedValue { $0 }.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
}
