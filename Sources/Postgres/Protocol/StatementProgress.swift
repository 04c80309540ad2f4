/// Decides how long to wait for a statement, when to ask whether the server still answers, when to cancel the statement, and
/// when to give its connection up.
///
/// A value without I/O: the connection's thread tells it what time it is and what it has seen.
struct StatementProgress {
    /// Why a statement is stopped before it ended by itself.
    enum Stop: Sendable {
        case timedOut
        case cancelled
        /// The server stands still.
        case silent
    }

    /// What the connection has to do next.
    enum Action: Equatable {
        /// Wait for the socket, at most until this instant.
        case wait(until: ContinuousClock.Instant)
        /// Ask by another connection whether the server answers.
        case ping
        /// Ask the server to cancel the statement, then ask again.
        case requestCancel
        /// Close the connection: the server is silent, or did not answer the cancel in time.
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
    private let patience: Duration
    /// When to ask whether the server still answers; nil while an answer is waited for.
    private var pingAt: ContinuousClock.Instant?

    /// A statement sent `now`; `grace` is how long the server may take to answer a cancel; zero: none is sent, and a
    /// deadline that passes means that the server is silent. After `patience` the server is asked whether it still answers.
    init(
        now: ContinuousClock.Instant, deadline: ContinuousClock.Instant, grace: Duration, patience: Duration
    ) {
        phase = .running(deadline: deadline)
        self.grace = grace
        self.patience = patience
        pingAt = now + patience
    }

    /// What to do while results are still missing; `isAnswered` is what came of the ping that was asked for, nil as long as
    /// that is open.
    mutating func next(now: ContinuousClock.Instant, isCancelled: Bool, isAnswered: Bool? = nil) -> Action {
        if pingAt == nil, let isAnswered {
            guard isAnswered else {
                stop = .silent
                return .abandon
            }
            pingAt = now + patience
        }
        switch phase {
        case .running(let deadline) where grace == .zero && now >= deadline:
            stop = .silent
            return .abandon
        case .running(let deadline) where grace > .zero && (isCancelled || now >= deadline):
            stop = isCancelled ? .cancelled : .timedOut
            phase = .stopping(giveUpAt: now + grace)
            return .requestCancel
        case .running(let deadline):
            guard let pingAt else { return .wait(until: deadline) }
            guard now >= pingAt else { return .wait(until: min(pingAt, deadline)) }
            self.pingAt = nil
            return .ping
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
