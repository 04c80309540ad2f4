/// When results are written.
///
/// One write is under way at a time, and a second while there is enough for it. Before a write, results gather: until they
/// are a hundred or half of the jobs that have not ended, or for ten milliseconds; and after a write for as long as it took,
/// at most fifty. So a write is worth its cost, and where many workers make writes slow, each leaves the others as much time
/// as it takes. Nobody waits for a write but who watches the job: a call that has succeeded has left its slot.
struct WriteSchedule: Sendable {
    /// How many results one write takes at most.
    static let batchLimit = 500
    private static let writeLimit = 2
    /// How many results are worth a write at once, and how many one beside another.
    private static let enough = 100
    private static let enoughForSecond = 200
    /// How long results gather.
    private static let gatheringTime: Duration = .milliseconds(10)
    /// The longest that a write leaves to others.
    private static let longestPause: Duration = .milliseconds(50)

    /// How many writes are under way.
    private(set) var writes = 0
    /// When the first of those that wait came.
    private var gatheringSince = ContinuousClock.now
    /// Until when others may write.
    private var pausedUntil = ContinuousClock.now

    /// A result came, and none waited.
    mutating func firstCame(at now: ContinuousClock.Instant) { gatheringSince = now }

    /// How long until the next write, while no more comes; nil where none can begin.
    func delay(waiting: Int, unended: Int, at now: ContinuousClock.Instant) -> Duration? {
        guard waiting > 0 else { return nil }
        if isEnough(waiting, unended: unended) { return .zero }
        return writes == 0 ? max(.zero, max(gatheringSince + Self.gatheringTime, pausedUntil) - now) : nil
    }

    /// Whether the result that came last, as one of so many that wait, changes when the next write begins.
    func isNews(waiting: Int, unended: Int) -> Bool {
        writes == 0 && waiting == 1 || isEnough(waiting, unended: unended)
    }

    private func isEnough(_ waiting: Int, unended: Int) -> Bool {
        switch writes {
        case 0: waiting >= min(Self.enough, unended / 2)
        case ..<Self.writeLimit: waiting >= Self.enoughForSecond
        default: false
        }
    }

    /// A write began; what waits still gathers from now on.
    mutating func began(at now: ContinuousClock.Instant) {
        writes += 1
        gatheringSince = now
    }

    /// A write ended.
    mutating func ended(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        writes -= 1
        pausedUntil = end + min(end - start, Self.longestPause)
    }
}
