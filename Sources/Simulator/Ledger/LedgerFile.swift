import Glibc

/// Appends lines to a file, each at once: a killed simulator loses none.
final class LedgerFile: Sendable {
    /// The file cannot be written.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let descriptor: Int32

    init(path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard descriptor >= 0 else {
            throw Failure(description: "cannot write the ledger to \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Appends one line in one write.
    func append(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        precondition(count == bytes.count, "the ledger cannot be written; without it the simulator proves nothing")
    }
}
