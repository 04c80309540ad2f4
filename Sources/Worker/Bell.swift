import NIOConcurrencyHelpers

/// Wakes one waiting task. Rings that nobody waits for fold into one.
final class Bell: Sendable {
    private struct State {
        var hasRung = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = NIOLockedValueBox(State())

    /// Wakes the waiter, now or as soon as it waits.
    func ring() {
        let waiter = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            guard let waiter = state.waiter else {
                state.hasRung = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    /// Returns when the bell rings, when `limit` has passed, or when the task is cancelled.
    func wait(atMost limit: Duration, clock: some Clock<Duration>) async {
        await withTaskGroup { group in
            group.addTask(name: "bell") { await self.rung() }
            // A cancelled sleep has done its work.
            group.addTask(name: "bell-limit") { try? await clock.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    private func rung() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayGoOn = state.withLockedValue { state in
                    if state.hasRung || Task.isCancelled {
                        // A cancelled wait leaves the ring for the next one.
                        if !Task.isCancelled { state.hasRung = false }
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if mayGoOn { continuation.resume() }
            }
        } onCancel: {
            state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
                defer { state.waiter = nil }
                return state.waiter
            }?.resume()
        }
    }
}
