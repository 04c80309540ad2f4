import Foundation

extension String {
    /// The same text with every character that moves a cursor, breaks a line or turns the direction of writing written as
    /// JSON writes it (`\n`, `\u001b`): values of rows are other people's, and may drive a terminal or forge a line.
    var escapingControls: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            if scalar.isControl { result += scalar.escaped } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }

    /// The text as a JSON string, quotes included.
    var jsonQuoted: String {
        var result = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.isControl: result += scalar.escaped
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension Unicode.Scalar {
    /// Control and format characters, which include the marks of direction, and separators of lines and paragraphs.
    fileprivate var isControl: Bool {
        if value >= 0x20 && value < 0x7F { return false }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }

    fileprivate var escaped: String {
        switch self {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: String(self).utf16.map { "\\u" + String(String(UInt32($0) + 0x1_0000, radix: 16).suffix(4)) }.joined()
        }
    }
}
