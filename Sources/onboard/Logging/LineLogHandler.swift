import Logging
import NIOConcurrencyHelpers

/// Hands one line a message to the writer of standard error. Warnings that repeat are counted, not repeated; one that names
/// a job is its own event.
struct LineLogHandler: LogHandler {
    private static let repeats = NIOLockedValueBox(RepeatFilter())
    private static let origin = ContinuousClock.now

    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    let format: LogLine.Format

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata.merging(event.metadata ?? [:]) { $1 }
        let message = "\(event.message)"
        if event.level == .warning, all["job_id"] == nil {
            let names = ["provider", "step"].map { all[$0].map { "\($0)" } ?? "" }
            let key = ([message] + names).joined(separator: "\n")
            let now = ContinuousClock.now - Self.origin
            switch Self.repeats.withLockedValue({ $0.came(key, at: now) }) {
            case .count: return
            case .write(let unwritten): if unwritten > 0 { all["repeats"] = .stringConvertible(unwritten) }
            }
        }
        LogWriter.shared.add(LogLine(level: event.level, message: message, metadata: all).text(format))
    }
}
