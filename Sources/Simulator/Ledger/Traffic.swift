import Contracts

/// What one provider saw: how many calls, how many at once, how many within a second.
struct Traffic: Sendable {
    private(set) var calls = 0
    private(set) var inFlight = 0
    private(set) var mostInFlight = 0
    private(set) var mostInOneSecond = 0
    /// Calls that were refused as too many.
    private(set) var refused = 0
    /// When the calls of the last second were let through under a rate limit.
    private var admitted: [Duration] = []
    private var recent: [Duration] = []
    private var start = 0

    /// A call began at `moment`.
    mutating func began(at moment: Duration) {
        calls += 1
        inFlight += 1
        mostInFlight = max(mostInFlight, inFlight)
        recent.append(moment)
        while recent[start] <= moment - .seconds(1) { start += 1 }
        mostInOneSecond = max(mostInOneSecond, recent.count - start)
        // What is over is dropped now and then, so that the window stays small.
        if start > 4096 {
            recent.removeFirst(start)
            start = 0
        }
    }

    /// A call ended.
    mutating func ended() {
        inFlight -= 1
    }

    /// Whether the call that began last is among `limit` within a second; counts it as refused if not.
    mutating func admits(_ limit: Int) -> Bool {
        let moment = recent.last ?? .zero
        admitted.removeAll { $0 <= moment - .seconds(1) }
        guard admitted.count < limit else {
            refused += 1
            return false
        }
        admitted.append(moment)
        return true
    }

    /// A call was refused as one too many.
    mutating func refuse() { refused += 1 }

    var json: JSONValue {
        .object([
            "calls": .number(String(calls)), "in_flight": .number(String(inFlight)),
            "most_in_flight": .number(String(mostInFlight)), "most_in_one_second": .number(String(mostInOneSecond)),
            "refused": .number(String(refused)),
        ])
    }
}
