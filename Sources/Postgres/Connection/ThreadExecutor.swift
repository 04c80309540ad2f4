import CPostgres
import Glibc
import NIOConcurrencyHelpers

/// Runs one actor's jobs on one thread, which may sleep in `poll(2)` on a socket.
///
/// The thread lives until ``stop()``, which the actor's `deinit` calls: a job can be enqueued only by somebody who
/// holds the actor, so none comes later.
final class ThreadExecutor: SerialExecutor {
    /// Why ``wait(socket:for:until:)`` returned.
    struct Readiness {
        var isReadable = false
        var isWritable = false
    }

    /// What to wait for on a socket.
    enum Interest {
        case read
        case readOrWrite
    }

    private struct State {
        var jobs: [UnownedJob] = []
        var isStopped = false
    }

    private let state = NIOLockedValueBox(State())
    /// An eventfd: written to end a sleep. Closed when the last reference goes, so a late wake never hits a descriptor
    /// that has become somebody else's.
    private let bell: CInt

    /// Starts the thread.
    init() throws(PostgresError) {
        bell = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        guard bell >= 0 else { throw PostgresError(.connectionFailed, "no file descriptor is left (errno \(errno))") }
        guard DetachedThread.start({ self.loop() }) else {
            throw PostgresError(.connectionFailed, "the system gives no more threads")
        }
    }

    deinit {
        if bell >= 0 { close(bell) }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLockedValue { $0.jobs.append(job) }
        wake()
    }

    /// Ends the thread when its jobs are done.
    func stop() {
        state.withLockedValue { $0.isStopped = true }
        wake()
    }

    /// Ends a sleep of the thread; the sleeper looks at its flags again.
    func wake() {
        // The counter only overflows after 2^64 rings; the thread is awake then anyway.
        _ = eventfd_write(bell, 1)
    }

    /// Sleeps until the socket is ready, somebody calls ``wake()``, or the instant has come.
    ///
    /// Only for jobs that run on this executor's thread.
    func wait(socket: CInt, for interest: Interest, until deadline: ContinuousClock.Instant) -> Readiness {
        let events = interest == .read ? POLLIN : POLLIN | POLLOUT
        var descriptors = [
            pollfd(fd: socket, events: Int16(events), revents: 0), pollfd(fd: bell, events: Int16(POLLIN), revents: 0),
        ]
        // The array has two elements; EINTR counts as a wake-up.
        _ = unsafe poll(&descriptors, 2, Self.milliseconds(until: deadline))
        if descriptors[1].revents != 0 { silence() }
        let seen = Int32(descriptors[0].revents)
        let isBroken = seen & (POLLERR | POLLHUP | POLLNVAL) != 0
        return Readiness(isReadable: seen & POLLIN != 0 || isBroken, isWritable: seen & POLLOUT != 0 || isBroken)
    }

    private func loop() {
        while true {
            let (jobs, isStopped) = state.withLockedValue { state in
                defer { state.jobs.removeAll() }
                return (state.jobs, state.isStopped)
            }
            for job in jobs { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
            guard jobs.isEmpty else { continue }
            if isStopped { return }
            var descriptor = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
            // One element; without a deadline, since every job rings the bell.
            _ = unsafe poll(&descriptor, 1, -1)
            silence()
        }
    }

    private func silence() {
        var count: eventfd_t = 0
        // Non-blocking: fails harmlessly if nobody rang.
        _ = unsafe eventfd_read(bell, &count)
    }

    /// Rounded up, so that a sleep never ends just before its deadline; at most a minute, the caller asks again.
    private static func milliseconds(until deadline: ContinuousClock.Instant) -> CInt {
        let left = deadline - ContinuousClock.now
        guard left > .zero else { return 0 }
        guard left < .seconds(60) else { return 60_000 }
        let (seconds, attoseconds) = left.components
        return CInt(seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }
}
