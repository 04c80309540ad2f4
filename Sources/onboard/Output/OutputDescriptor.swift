import Foundation

/// A descriptor that takes text by `write(2)`. Foundation's handles end the process where a write fails.
struct OutputDescriptor: Sendable {
    /// Why a text was not written, or not to its end.
    struct WriteError: Error {
        /// The error number of `write(2)`.
        let number: Int32
        /// How many bytes were written before.
        let written: Int

        /// What the system says.
        var reason: String { String(cString: strerror(number)) }
    }

    static let output = OutputDescriptor(number: STDOUT_FILENO)
    static let error = OutputDescriptor(number: STDERR_FILENO)

    let number: Int32

    /// Whether a person looks at it.
    var isTerminal: Bool { isatty(number) == 1 }

    /// Makes it safe to write to the standard descriptors, whatever the process was started with.
    static func prepareStandard() {
        // A reader that has gone, and a file at its greatest size, are then errors of write(2).
        for signal in [SIGPIPE, SIGXFSZ] { Foundation.signal(signal, SIG_IGN) }
        // A closed one would be given to the next file or socket, and would then take what is printed: a descriptor that can
        // only fail takes its place. `open` returns the lowest that is free.
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) == -1 {
            _ = open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Writes all bytes.
    ///
    /// - Parameter patience: for how many milliseconds a full pipe that does not block is waited for; -1 is for as long as one
    ///   that does block.
    func write(_ bytes: [UInt8], patience: Int32) throws(WriteError) {
        var written = 0
        // Bounded by the number of bytes, and by the patience for each.
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Foundation.write(number, $0.baseAddress, $0.count) }
            if count > 0 {
                written += count
                continue
            }
            switch count == 0 ? EIO : errno {
            case EINTR: continue
            case EAGAIN:
                var wait = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                guard poll(&wait, 1, patience) != 0 else { throw WriteError(number: EAGAIN, written: written) }
            case let failure: throw WriteError(number: failure, written: written)
            }
        }
    }
}
