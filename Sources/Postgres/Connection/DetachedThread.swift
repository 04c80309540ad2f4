import Glibc

/// Starts a thread of our own, for what may block.
///
/// The cooperative pool has one thread per core: a blocking call there stops other tasks.
enum DetachedThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }

    /// Runs the body on a new thread; false if the system gives none.
    static func start(_ run: @escaping @Sendable () -> Void) -> Bool {
        // Retained here, released by the thread: the pointer is valid between the two.
        let body = unsafe Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        // The entry takes back exactly what was retained above.
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                body.run()
                return nil
            }, body.toOpaque())
        guard status == 0 else {
            // No thread took it over.
            unsafe body.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
