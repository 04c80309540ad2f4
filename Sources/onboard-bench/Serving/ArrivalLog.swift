import Foundation
import NIOConcurrencyHelpers

/// The file with the arrival of each request.
final class ArrivalLog: Sendable {
    private let file: FileHandle
    private let lines = NIOLockedValueBox("")

    /// Makes the file anew.
    init(path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw CocoaError(.fileWriteUnknown) }
        self.file = file
    }

    func add(_ key: String, at time: Int64) {
        lines.withLockedValue { $0 += "\(key) \(time)\n" }
    }

    /// Writes what has been gathered.
    func flush() {
        let text = lines.withLockedValue { lines in
            defer { lines = "" }
            return lines
        }
        if !text.isEmpty { file.write(Data(text.utf8)) }
    }
}
