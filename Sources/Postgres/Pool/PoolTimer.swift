import NIOConcurrencyHelpers

/// Ends one wait for a connection.
///
/// The wait is a continuation, which a task group around it could not leave alone; so the timer is a task of its own,
/// which ``stop()`` always ends.
final class PoolTimer: Sendable {
    private let task = NIOLockedValueBox<Task<Void, Never>?>(nil)

    /// Calls the action at the deadline unless stopped before.
    func start(_ deadline: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void) {
        // Unstructured for the reason above; bounded by the deadline and by stop().
        let timer = Task(name: "pool timer") {
            // Thrown only when stopped.
            guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
            action()
        }
        task.withLockedValue { $0 = timer }
    }

    /// Ends the timer.
    func stop() {
        task.withLockedValue { $0 }?.cancel()
    }
}
