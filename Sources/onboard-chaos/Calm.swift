import NIOConcurrencyHelpers

/// When workers and database could do their work: only that time counts against promises of time.
final class Calm: Sendable {
    /// What a disturbance takes from the time after it: workers find the database again, and one is heard from.
    private static let grace: Duration = .seconds(5)

    private let disturbances = NIOLockedValueBox<[(from: ContinuousClock.Instant, to: ContinuousClock.Instant?)]>([])

    /// Counts the time of `body`, and some after it, as disturbed.
    func disturbed<R>(_ body: () async throws -> R) async rethrows -> R {
        let index = disturbances.withLockedValue { all in
            all.append((.now, nil))
            return all.count - 1
        }
        defer { disturbances.withLockedValue { $0[index].to = .now + Self.grace } }
        return try await body()
    }

    /// How much of the time since `start` was calm.
    func time(since start: ContinuousClock.Instant) -> Duration {
        let now = ContinuousClock.now
        var calm = Duration.zero
        var moment = start
        // They begin one after the other.
        for disturbance in disturbances.withLockedValue({ $0 }) {
            calm += max(.zero, min(disturbance.from, now) - moment)
            moment = max(moment, min(disturbance.to ?? now, now))
        }
        return calm + max(.zero, now - moment)
    }
}
