/// Compares the database's clock with this machine's monotonic one, and tells when it jumped.
///
/// Each reading bounds how far the one is ahead of the other: it was taken somewhere between the request and its answer. A
/// worker that was stopped meanwhile has wide bounds, and sees no jump in them. Bounds that no steady clock can keep to are
/// a jump; the watch then begins anew.
struct ClockWatch: Sendable {
    /// What a clock may be off without being taken for one that jumped.
    static let tolerance: Duration = .seconds(2)
    /// How much a clock may run fast or slow, one part in so many: what a time service slews, twice over.
    static let drift = 1000

    private var lowest: Duration?
    private var highest: Duration = .zero
    private var last: Duration = .zero

    /// The database showed `time` between `start` and `end` of this machine's clock; returns by how much it jumped, back if
    /// negative, since the readings before; nil: it did not.
    mutating func read(_ time: Duration, from start: Duration, to end: Duration) -> Duration? {
        let low = time - end
        let high = time - start
        guard let lowest else {
            restart(low, high, at: end)
            return nil
        }
        let slack = max(end - last, .zero) / Self.drift
        let known = (low: lowest - slack, high: highest + slack)
        if low > known.high + Self.tolerance {
            restart(low, high, at: end)
            return low - known.high
        }
        if high < known.low - Self.tolerance {
            restart(low, high, at: end)
            return high - known.low
        }
        // Both hold; where they do not meet, within the tolerance, the first to be seen stays, so that small steps add up.
        let both = (low: max(low, known.low), high: min(high, known.high))
        if both.low <= both.high {
            restart(both.low, both.high, at: end)
        } else {
            restart(known.low, known.high, at: end)
        }
        return nil
    }

    private mutating func restart(_ low: Duration, _ high: Duration, at time: Duration) {
        lowest = low
        highest = high
        last = time
    }
}
