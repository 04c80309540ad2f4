import Contracts

/// What may be a provider's id of a record. Nothing is ever left out of one to make it fit.
///
/// The ids that the providers document are UUIDs, and `cus_` with 32 hexadecimal digits (`providers.md`, sections 1.3, 4.3
/// and 5.3). A program that has no value prints a word, and one that has the wrong one prints what it was sent.
enum ProviderID {
    /// Characters. A text up to this length without a digit is taken for a word, a longer one for an id.
    private static let longestWord = 19

    /// The id, if the value can be one: a whole number, or text as `kinds.id_pattern` has it, and nothing that was sent.
    static func text(_ value: JSONValue, for context: CallContext) -> String? {
        let text: String
        switch value {
        case .string(let said): text = said
        case .number(let literal) where literal.utf8.count <= 40 && literal.utf8.allSatisfy(isDigit): text = literal
        case .null, .bool, .number, .array, .object: return nil
        }
        return isForm(text) && !Echo.isStatus(text) && !Echo.isValue(text, of: context) ? text : nil
    }

    private static func isForm(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= 255, isLetter(first) || isDigit(first) else { return false }
        guard bytes.allSatisfy({ isLetter($0) || isDigit($0) || "._:~-".utf8.contains($0) }) else { return false }
        // A UUID of nothing but zeros or `f`s stands for none (RFC 9562, sections 5.9 and 5.10).
        if bytes.allSatisfy({ "0x-".utf8.contains($0) }) || bytes.allSatisfy({ "fF-".utf8.contains($0) }) {
            return false
        }
        return bytes.count > longestWord || bytes.contains(where: isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
