/// Exponential backoff with full jitter: a random wait between nothing and `base * 2^step`, at most `cap`.
package struct Backoff: Sendable, Equatable {
    /// The upper end of the first wait.
    package var base: Duration
    /// The upper end of every wait.
    package var cap: Duration

    /// The design's figures: from 2 seconds to 1 hour.
    package init(base: Duration = .seconds(2), cap: Duration = .seconds(3600)) {
        self.base = base
        self.cap = cap
    }

    /// The wait before the next attempt after `step` waits in a row.
    ///
    /// - Parameter jitter: a fresh random number from 0 to 1, the part of the longest wait that is taken.
    package func delay(step: Int, jitter: Double) -> Duration {
        let doubled = base * (1 << min(max(step, 0), 20))
        return min(doubled, cap) * jitter
    }
}
