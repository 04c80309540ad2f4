/// The lines of a configuration file, `NAME=value` as a shell and systemd read them.
///
/// What the two read differently, or only one of them reads, is refused rather than guessed: an expansion, a quote within a
/// word, a value over several lines.
struct ConfigurationFile {
    /// Why a line was refused.
    struct Refusal: Error {
        /// The line's number, from 1.
        let line: Int
        let reason: String
    }

    /// The values by name; of two lines with one name the last counts.
    let values: [String: String]

    init(_ text: String) throws(Refusal) {
        var values: [String: String] = [:]
        // By scalars: a carriage return and a line feed are one character. Windows begins a file with a byte order mark.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, scalars) in lines.enumerated() {
            var line = scalars
            if index == 0, line.first == "\u{FEFF}" { line.removeFirst() }
            if line.last == "\r" { line.removeLast() }
            do throws(Reason) {
                guard let (name, value) = try Self.assignment(Substring(line)) else { continue }
                values[name] = value
            } catch {
                throw Refusal(line: index + 1, reason: error.text)
            }
        }
        self.values = values
    }

    private struct Reason: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    /// The name and the value of a line; nil for an empty one and a comment.
    private static func assignment(_ line: Substring) throws(Reason) -> (String, String)? {
        guard !line.unicodeScalars.contains(where: { ($0.value < 0x20 && $0 != "\t") || $0.value == 0x7F }) else {
            throw Reason("a control character is in it")
        }
        var rest = line.drop(while: isBlank)
        guard let first = rest.first, first != "#", first != ";" else { return nil }
        if rest.hasPrefix("export"), let next = rest.dropFirst(6).first, isBlank(next) {
            rest = rest.dropFirst(6).drop(while: isBlank)
        }
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        rest = rest[name.endIndex...].drop(while: isBlank)
        guard let first = name.first, !first.isNumber, rest.first == "=" else { throw Reason("NAME=value is expected") }
        return (String(name), try value(rest.dropFirst().drop(while: isBlank)))
    }

    private static func value(_ text: Substring) throws(Reason) -> String {
        var rest = text
        var value = ""
        let quote = rest.first.flatMap { $0 == "\"" || $0 == "'" ? $0 : nil }
        if quote != nil { rest.removeFirst() }
        var isClosed = quote == nil
        // How much of the value is not blanks at its end.
        var length = value.endIndex
        var previous: Character = " "
        while let character = rest.popFirst() {
            if character == quote {
                isClosed = true
                break
            }
            if quote == nil, character == "#", isBlank(previous) { break }
            previous = character
            var character = character
            switch (character, quote) {
            case ("\\", "'"): break
            case ("\\", _):
                guard let next = rest.popFirst() else { throw Reason("it goes on in the next line") }
                if quote == "\"", !"\"\\$`".contains(next) { value.append("\\") }
                character = next
            case ("$", nil), ("`", nil), ("$", "\""), ("`", "\""):
                throw Reason("nothing is expanded: write a value with \(character) in single quotes")
            case ("\"", nil), ("'", nil): throw Reason("a quote is within the value: quote all of it")
            default: break
            }
            value.append(character)
            if quote != nil || !isBlank(previous) { length = value.endIndex }
        }
        guard isClosed else { throw Reason("its quote is not closed") }
        if quote != nil {
            let after = rest.drop(while: isBlank)
            guard after.isEmpty || (after.first == "#" && after.count < rest.count) else {
                throw Reason("something follows the quoted value")
            }
            return value
        }
        return String(value[..<length])
    }

    private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
}
