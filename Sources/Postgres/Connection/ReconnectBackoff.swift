/// The pauses between attempts to connect: doubling from 50 ms to 2 s, each between a half and the whole of it.
struct ReconnectBackoff {
    private var failures = 0

    /// The pause after one more failure.
    mutating func next() -> Duration {
        let ceiling = min(2_000, 50 << min(failures, 10))
        failures += 1
        return .milliseconds(Int.random(in: ceiling / 2...ceiling))
    }
}
