/// Takes what an operator may read out of messages of the server and of libpq.
enum ServerMessage {
    /// The primary message without values: class 22 quotes the value it refuses, so it is cut there.
    static func scrubbed(_ message: String, sqlState: SQLState?) -> String {
        let line = oneLine(message)
        guard sqlState?.isClass("22") == true else { return line }
        // `invalid input syntax for type integer: "x"` and `value "x" is out of range for type integer`.
        let head = line.prefix { $0 != "\"" && $0 != ":" }
        let trimmed = head.hasSuffix(" ") ? head.dropLast() : head
        return trimmed == "value" ? "value out of range" : String(trimmed)
    }

    /// libpq's message about a connection string without what it quotes, which may be a part of a password.
    static func withoutQuotes(_ message: String) -> String {
        let line = oneLine(message)
        guard let first = line.firstIndex(of: "\""), let last = line.lastIndex(of: "\"") else { return line }
        return "\(line[..<first])…\(line[line.index(after: last)...])"
    }

    /// A message on a single line, at most 500 characters.
    static func oneLine(_ message: String) -> String {
        let lines = message.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("LOCATION:") }
        return String(lines.joined(separator: "; ").prefix(500))
    }

    /// Splits the verbose form of a failed connection, `… FATAL:  28P01: password …`, into SQLSTATE and the rest.
    ///
    /// libpq 15 has no other way to the SQLSTATE of a refused connection.
    static func connectFailure(_ message: String) -> (text: String, sqlState: SQLState?) {
        var text = oneLine(message)
        var state: SQLState?
        var search = text.startIndex
        while let colon = text[search...].firstIndex(of: ":") {
            search = text.index(after: colon)
            let rest = text[search...].drop { $0 == " " }
            let code = rest.prefix(5)
            // With a digit: `FATAL` has five capitals too.
            let isCode =
                code.count == 5 && code.contains(where: \.isNumber)
                && code.allSatisfy { $0.isASCII && ($0.isNumber || $0.isUppercase) }
            guard isCode, rest.dropFirst(5).hasPrefix(": ") else { continue }
            state = SQLState(String(code))
            text.removeSubrange(rest.startIndex..<text.index(rest.startIndex, offsetBy: 7))
            break
        }
        return (text, state)
    }
}
