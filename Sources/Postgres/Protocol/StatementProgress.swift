/// Decides how long to wait for a statement, when to cancel it, and when to give its connection up.
///
/// A value without I/O: the connection's thread tells it what time it is and what it has seen.
struct StatementProgress {
    /// Why a statement is stopped before it ended by itself.
    enum Stop: Sendable {
        case timedOut
        case cancelled
    }

    /// What the connection has to do next.
    enum Action: Equatable {
        /// Wait for the socket, at most until this instant.
        case wait(until: ContinuousClock.Instant)
        /// Ask the server to cancel the statement, then ask again.
        case requestCancel
        /// Close the connection: the server did not answer the cancel in time.
        case abandon
    }

    private enum Phase {
        /// *Can go to:* stopping, when the deadline passes or the task is cancelled.
        case running(deadline: ContinuousClock.Instant)
        /// The server was asked to cancel. *Can go to:* nothing; it ends with the results, or by giving up.
        case stopping(giveUpAt: ContinuousClock.Instant)
    }

    /// Why the statement was stopped, once it was.
    private(set) var stop: Stop?
    private var phase: Phase
    private let grace: Duration

    /// A statement sent now; `grace` is how long the server may take to answer a cancel.
    init(deadline: ContinuousClock.Instant, grace: Duration) {
        phase = .running(deadline: deadline)
        self.grace = grace
    }

    /// What to do while results are still missing.
    mutating func next(now: ContinuousClock.Instant, isCancelled: Bool) -> Action {
        switch phase {
        case .running(let deadline) where isCancelled || now >= deadline:
            stop = isCancelled ? .cancelled : .timedOut
            phase = .stopping(giveUpAt: now + grace)
            return .requestCancel
        case .running(let deadline): return .wait(until: deadline)
        case .stopping(let giveUpAt): return now >= giveUpAt ? .abandon : .wait(until: giveUpAt)
        }
    }

    /// What to do when all results are in: nil if the connection is free for the next statement.
    ///
    /// A cancel request that is still under way could hit the next statement, so it has to arrive first.
    func finish(now: ContinuousClock.Instant, cancelArrived: Bool) -> Action? {
        guard case .stopping(let giveUpAt) = phase, !cancelArrived else { return nil }
        return now >= giveUpAt ? .abandon : .wait(until: giveUpAt)
    }
}
