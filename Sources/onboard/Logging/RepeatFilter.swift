/// Lets the first of equal warnings through, and of those that follow one after a pause that doubles, with their count.
struct RepeatFilter {
    /// What becomes of a line.
    enum Verdict: Equatable {
        /// It is written; so many like it were not since the last one.
        case write(unwritten: Int)
        case count
    }

    private struct Series {
        var next: Duration
        var last: Duration
        var pause = RepeatFilter.firstPause
        var unwritten = 0
    }

    private static let firstPause: Duration = .seconds(60)
    private static let longestPause: Duration = .seconds(600)
    /// Keys are made of constants and names of providers and steps: more would be a bug.
    private static let limit = 256

    private var series: [String: Series] = [:]

    /// A line of the series `key` comes at `now`, on a clock that only grows.
    mutating func came(_ key: String, at now: Duration) -> Verdict {
        guard var found = series[key], now - found.last < found.pause * 2 else {
            if series.count >= Self.limit { series.removeAll() }
            let unwritten = series[key]?.unwritten ?? 0
            series[key] = Series(next: now + Self.firstPause, last: now)
            return .write(unwritten: unwritten)
        }
        found.last = now
        defer { series[key] = found }
        guard now >= found.next else {
            found.unwritten += 1
            return .count
        }
        let unwritten = found.unwritten
        found.unwritten = 0
        found.pause = min(found.pause * 2, Self.longestPause)
        found.next = now + found.pause
        return .write(unwritten: unwritten)
    }
}
