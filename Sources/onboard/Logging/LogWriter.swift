import Foundation
import Logging
import NIOConcurrencyHelpers

/// Writes log lines to standard error without ever making the one who logs wait or fail.
///
/// Lines wait in a bounded queue for a thread of its own, which may block. One that cannot be written is dropped and counted;
/// the count is logged as soon as writing works again.
final class LogWriter: Sendable {
    private struct State {
        var format = LogLine.Format.json
        /// How many bytes wait.
        var waiting = 0
        var dropped = 0
        /// Whether a line was written in part: what comes next begins on a line of its own.
        var isTorn = false
        var isTryingAgain = false
    }

    static let shared = LogWriter(.error)

    /// Some five thousand lines: what a reader that pauses for a while may be behind.
    private static let limit = 1 << 20
    /// How long a full pipe that does not block is waited for, in milliseconds.
    private static let patience: Int32 = 1000

    private let descriptor: OutputDescriptor
    private let state = NIOLockedValueBox(State())
    private let queue = DispatchQueue(label: "onboard log")

    init(_ descriptor: OutputDescriptor) {
        self.descriptor = descriptor
    }

    /// How the line about dropped lines looks.
    func use(_ format: LogLine.Format) { state.withLockedValue { $0.format = format } }

    /// Takes a line; it will be written, or counted.
    func add(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        let fits = state.withLockedValue { state in
            let fits = state.waiting + bytes.count <= Self.limit
            if fits { state.waiting += bytes.count } else { state.dropped += 1 }
            return fits
        }
        guard fits else { return }
        queue.async { self.write(bytes) }
    }

    /// Waits until all lines are written or dropped, at most two seconds.
    func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async {
            _ = self.tellOfDropped()
            done.signal()
        }
        _ = done.wait(timeout: .now() + 2)
    }

    private func write(_ bytes: [UInt8]) {
        let isWritten = tellOfDropped() && put(bytes)
        let mustTryAgain = state.withLockedValue { state in
            state.waiting -= bytes.count
            if isWritten { return false }
            state.dropped += 1
            defer { state.isTryingAgain = true }
            return !state.isTryingAgain
        }
        if mustTryAgain { tryAgainLater() }
    }

    /// There may be no other line for long.
    private func tryAgainLater() {
        queue.asyncAfter(deadline: .now() + 1) {
            let isDone = self.tellOfDropped()
            self.state.withLockedValue { $0.isTryingAgain = !isDone }
            if !isDone { self.tryAgainLater() }
        }
    }

    /// Whether nothing is left to tell.
    private func tellOfDropped() -> Bool {
        let (dropped, format) = state.withLockedValue { ($0.dropped, $0.format) }
        guard dropped > 0 else { return true }
        let line = LogLine(
            level: .warning, message: "log lines could not be written and were dropped",
            metadata: ["lines": .stringConvertible(dropped)])
        guard put(Array((line.text(format) + "\n").utf8)) else { return false }
        state.withLockedValue { $0.dropped -= dropped }
        return true
    }

    private func put(_ bytes: [UInt8]) -> Bool {
        let isTorn = state.withLockedValue { $0.isTorn }
        do {
            try descriptor.write((isTorn ? [UInt8(ascii: "\n")] : []) + bytes, patience: Self.patience)
            state.withLockedValue { $0.isTorn = false }
            return true
        } catch {
            if error.written > 0 { state.withLockedValue { $0.isTorn = error.written > (isTorn ? 1 : 0) } }
            return false
        }
    }
}
