/// What the provider does with a create and what its sender hears of it.
enum Answer: String, Hashable, CaseIterable {
    /// 2xx with an id; under a key that it remembers, the stored answer.
    case created
    /// Created, and the answer is of no use: 2xx without a readable id, or 409.
    case createdButUnclear = "created, but answered without an id or with 409"
    /// Created, and answered with 5xx.
    case createdButError = "created, but answered with 5xx"
    /// Created, and the answer is lost.
    case createdButLost = "created, but the answer is lost"
    /// Created, although it said that it would not; only where it may lie.
    case createdButTurnedAway = "created, but answered with 429"
    /// 409 without an effect: another request under the key is in progress.
    case unclear = "409, nothing done"
    /// 5xx without an effect.
    case error = "5xx, nothing done"
    /// 500 once more, until it looks like a replay.
    case replayedError = "500 for the last time, nothing done"
    /// A definite refusal.
    case refused = "refused for good"
    /// 429, 401, 403.
    case turnedAway = "429, 401 or 403"
    /// 503 with `Retry-After`, which asks for patience and says nothing of an effect.
    case busy = "503 and Retry-After, and goes on with it"
    /// 5xx, while it is still at work.
    case errorBeforeEffect = "5xx, and goes on with it"

    var isEffect: Bool {
        switch self {
        case .created, .createdButUnclear, .createdButError, .createdButLost, .createdButTurnedAway: true
        case .unclear, .error, .replayedError, .refused, .turnedAway, .busy, .errorBeforeEffect: false
        }
    }
    /// Whether the provider may yet act on it.
    var leavesStray: Bool { self == .busy || self == .errorBeforeEffect }
}
