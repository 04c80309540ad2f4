import Foundation
import Logging

/// One line of the log: a JSON object, or text. Whatever is in its values, it stays one line.
struct LogLine {
    /// How a line looks.
    enum Format: String {
        case json
        case text
    }

    var time = Date()
    let level: Logger.Level
    let message: String
    let metadata: Logger.Metadata

    /// The line without its end.
    func text(_ format: Format) -> String {
        // RFC 3339 in UTC.
        let time = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let values = metadata.sorted { $0.key < $1.key }
        switch format {
        case .text:
            let rest = values.map { " \($0.key.escapingControls)=\(Self.word($0.value))" }.joined()
            return "\(time) \(level) \(message.escapingControls)\(rest)"
        case .json:
            let first = "\"time\":\(time.jsonQuoted),\"level\":\"\(level)\",\"message\":\(message.jsonQuoted)"
            // Two members of one name are two meanings.
            let rest = values.map { key, value in
                let name = ["time", "level", "message"].contains(key) ? "_\(key)" : key
                return ",\(name.jsonQuoted):\(Self.json(value))"
            }
            return "{\(first)\(rest.joined())}"
        }
    }

    /// A value of a text line; quoted where it would look like more than one, or like another.
    private static func word(_ value: Logger.MetadataValue) -> String {
        let text = "\(value)".escapingControls
        let isPlain = !text.isEmpty && text.allSatisfy { !$0.isWhitespace && $0 != "\"" && $0 != "=" }
        return isPlain ? text : text.replacing("\"", with: "\\\"").quoted
    }

    private static func json(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): text.jsonQuoted
        case .stringConvertible(let value):
            switch value {
            case is Bool, is any BinaryInteger: "\(value)"
            // JSON has neither infinity nor "not a number".
            case let number as Double where number.isFinite: "\(number)"
            case let number as Float where number.isFinite: "\(number)"
            default: "\(value)".jsonQuoted
            }
        case .array(let values): "[\(values.map(json).joined(separator: ","))]"
        case .dictionary(let values):
            "{\(values.sorted { $0.key < $1.key }.map { "\($0.key.jsonQuoted):\(json($0.value))" }.joined(separator: ","))}"
        }
    }
}

extension String {
    fileprivate var quoted: String { "\"\(self)\"" }
}
