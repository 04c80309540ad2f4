/// How long calls to one provider took of late, and so how long one whose answer was lost may be at work there.
///
/// A value without a clock; the caller says when.
package struct CallDurations: Sendable {
    /// What fewer calls than these showed proves nothing.
    private static let enough = 16
    private static let kept = 64
    private static let window: Duration = .seconds(600)
    /// How much slower than the slowest seen one that was not seen may be.
    private static let margin = 4

    private var recent: [(ended: ContinuousClock.Instant, took: Duration)] = []

    /// Nothing is known yet.
    package init() {}

    /// A call ended at `moment` after `duration`.
    package mutating func ended(at moment: ContinuousClock.Instant, after duration: Duration) {
        if recent.count == Self.kept { recent.removeFirst() }
        recent.append((moment, duration))
    }

    /// The longest that a call is likely to take: `assumed`, unless enough calls of the last ten minutes were faster by
    /// far.
    package func longest(at moment: ContinuousClock.Instant, assuming assumed: Duration) -> Duration {
        let fresh = recent.filter { moment - $0.ended < Self.window }
        guard fresh.count >= Self.enough, let slowest = fresh.map(\.took).max() else { return assumed }
        return min(assumed, slowest * Self.margin)
    }
}
