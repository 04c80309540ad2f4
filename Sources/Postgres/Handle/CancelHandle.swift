import CPostgres
import NIOConcurrencyHelpers

/// A request to cancel whatever its connection is running.
///
/// Unchecked `Sendable`, because
/// 1. libpq documents `PQcancel` as safe on any thread: the object is a copy of what it needs, not a connection;
/// 2. the pointer is set once, never leaves this type, and is freed when the last reference goes;
/// 3. the annotation is still needed, since the compiler sees only a pointer.
@safe final class CancelHandle: @unchecked Sendable {
    private let pointer: OpaquePointer
    private let isDone = NIOLockedValueBox(false)

    /// Takes the ownership of what `PQgetCancel` returned.
    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        // Ours alone, see above.
        unsafe PQfreeCancel(pointer)
    }

    /// Whether the request has been delivered, or has failed for good.
    var hasArrived: Bool { isDone.withLockedValue { $0 } }

    /// Sends the request on a thread of its own, since `PQcancel` connects and blocks; then calls `completion`.
    func send(completion: @escaping @Sendable () -> Void) {
        let isStarted = DetachedThread.start {
            var reason = [CChar](repeating: 0, count: 256)
            // The buffer's size goes with it; what it says does not matter: an undelivered cancel ends in a
            // closed connection when the grace is over.
            _ = unsafe PQcancel(self.pointer, &reason, CInt(reason.count))
            self.isDone.withLockedValue { $0 = true }
            completion()
        }
        // Without a thread the request never arrives; the statement's grace then closes the connection.
        if !isStarted { completion() }
    }
}
