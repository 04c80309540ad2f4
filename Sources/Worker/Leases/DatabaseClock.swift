import JobQueue
import Logging
import NIOConcurrencyHelpers

/// Whether ages that the database tells can be believed: not across a jump of its clock.
///
/// Every renewal and every claim reads that clock. A jump is noted in the database by the next renewal, for all workers; until
/// then, and for claims that were under way, no age counts.
final class DatabaseClock: Sendable {
    private struct State {
        var watch = ClockWatch()
        /// Seen and not yet noted in the database.
        var pending: Duration?
        var jumps = 0
        var isBack = false
    }

    private let state = NIOLockedValueBox(State())
    private let origin = ContinuousClock.now
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    /// How many jumps were seen; to be asked before a claim.
    var jumps: Int { state.withLockedValue { $0.jumps } }

    /// The database showed `time` between `start` and `end`.
    func read(_ time: Duration, from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        let jump = state.withLockedValue { state in
            let jump = state.watch.read(time, from: start - origin, to: end - origin)
            if let jump {
                state.jumps += 1
                state.isBack = jump < .zero || (state.isBack && state.pending != nil)
                state.pending = (state.pending ?? .zero) + jump
            }
            return jump
        }
        guard let jump else { return }
        logger.warning(
            "the database's clock jumped; no age from before is believed",
            metadata: ["seconds": .stringConvertible(jump.inSeconds)])
    }

    /// Nobody had watched the clock before this worker signed on; it was set back by `jump`, at most zero, as far as is known.
    func wasUnwatched(jump: Duration) {
        state.withLockedValue { state in
            state.jumps += 1
            state.isBack = jump < .zero
            state.pending = jump
        }
        if jump < .zero {
            logger.warning(
                "the database's clock was set back while no worker lived; no age from before is believed",
                metadata: ["seconds": .stringConvertible(jump.inSeconds)])
        }
    }

    /// Takes the ages out of what a claim brought that began after `jumps` jumps, unless the clock was steady until its end.
    func check(
        _ batch: inout ClaimBatch, since jumps: Int, from start: ContinuousClock.Instant,
        to end: ContinuousClock.Instant
    ) {
        if let time = batch.clock { read(time, from: start, to: end) }
        let (isSteady, isBack) = state.withLockedValue { ($0.pending == nil && $0.jumps == jumps, $0.isBack) }
        if !isSteady { batch.distrustAges(isBack: isBack) }
    }

    /// Notes in the database what jump was seen, if any.
    func note(in queue: Queue) async throws {
        guard let (jump, jumps) = state.withLockedValue({ state in state.pending.map { ($0, state.jumps) } }) else {
            return
        }
        var rounds = 0
        // A million waits and more would be left as they are.
        while try await queue.noteClockJump(jump), rounds < 200 { rounds += 1 }
        state.withLockedValue { if $0.jumps == jumps { $0.pending = nil } }
    }
}

extension Duration {
    /// Seconds with milliseconds, for logs.
    fileprivate var inSeconds: Double { Double(milliseconds) / 1000 }
}
