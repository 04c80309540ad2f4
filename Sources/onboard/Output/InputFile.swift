import ArgumentParser
import Foundation

/// Reads what a person gives to a command.
enum InputFile {
    /// All of a file, or of standard input where `path` is nil. What cannot be read is wrong usage.
    static func read(_ path: String?) throws -> Data {
        do {
            guard let path else { return try FileHandle.standardInput.readToEnd() ?? Data() }
            return try FileHandle(forReadingFrom: URL(fileURLWithPath: path)).readToEnd() ?? Data()
        } catch {
            throw ValidationError("cannot read \(path ?? "standard input")")
        }
    }
}
