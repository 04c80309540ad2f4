import JobModel
import NIOConcurrencyHelpers

/// Whether this worker may still believe that its jobs are its own.
///
/// Counts on the monotonic clock from before each renewal was asked for, so that it always gives up
/// earlier than the database does.
final class LeaseTrust: Sendable {
    /// The name under which a claim was made; a worker that lost its lease goes on under another.
    struct Identity: Sendable, Equatable {
        let worker: WorkerID
        let epoch: Int
    }

    private struct State {
        var identity: Identity
        var renewedAt: ContinuousClock.Instant?
    }

    private let trusted: Duration
    private let state: NIOLockedValueBox<State>

    /// - Parameter trusted: how long after a renewal calls may be started.
    init(worker: WorkerID, trusted: Duration) {
        self.trusted = trusted
        state = NIOLockedValueBox(State(identity: Identity(worker: worker, epoch: 0)))
    }

    var identity: Identity { state.withLockedValue { $0.identity } }

    /// The lease was renewed by a request that began at `start`.
    func renewed(from start: ContinuousClock.Instant) {
        state.withLockedValue { $0.renewedAt = start }
    }

    /// The lease has ended; the worker goes on as `worker`, once registered.
    func lost(continuingAs worker: WorkerID) {
        state.withLockedValue {
            $0.identity = Identity(worker: worker, epoch: $0.identity.epoch + 1)
            $0.renewedAt = nil
        }
    }

    /// Whether a call for a claim made as `identity` may be started at `now`.
    func holds(for identity: Identity, at now: ContinuousClock.Instant) -> Bool {
        state.withLockedValue { state in
            guard state.identity == identity, let renewedAt = state.renewedAt else { return false }
            return now - renewedAt < trusted
        }
    }
}
