import Contracts

/// Finds a record's id and status in an answer, tolerantly: only the id must be there.
struct RecordReader: Sendable {
    /// The member that holds the record; nil where the answer is the record.
    var wrapper: String?
    /// Whether the answer itself is read where it has no such member, or the other way round.
    var isTolerant = false
    /// The member with the id.
    var id = "id"

    /// The record; nil without an id. An unknown status is kept as it is.
    func record(in body: JSONValue) -> FoundRecord? {
        let place = record(of: body)
        guard let id = place?[id].flatMap(ProviderID.text) else { return nil }
        return FoundRecord(id: id, status: place?["status"]?.string.flatMap(Self.status))
    }

    /// A status is one word or a few; what is longer or has other characters is something else, and is not kept.
    private static func status(_ text: String) -> String? {
        let isWord =
            text.utf8.count <= 64
            && text.unicodeScalars.allSatisfy {
                $0.isASCII
                    && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || " _-.".unicodeScalars.contains($0))
            }
        return isWord && !text.isEmpty ? text : nil
    }

    /// The object that should be the record.
    func record(of body: JSONValue) -> JSONValue? {
        guard let wrapper else { return body }
        return body[wrapper] ?? (isTolerant ? body : nil)
    }
}

/// What may be a provider's id of a record. Nothing is ever left out of one to make it fit.
enum ProviderID {
    /// Words that a program prints where it has no value.
    private static let placeholders: Set<String> = [
        "null", "nil", "none", "undefined", "nan", "0", "00000000-0000-0000-0000-000000000000",
    ]

    /// The id, if the value can be one: a whole number, or 1 to 255 visible ASCII characters.
    static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text):
            let isVisible = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            let fits = (1...255).contains(text.utf8.count) && isVisible
            return fits && !placeholders.contains(text.lowercased()) ? text : nil
        case .number(let literal):
            let isWhole = literal.utf8.count <= 40 && literal.utf8.allSatisfy { (0x30...0x39).contains($0) }
            return isWhole && literal != "0" ? literal : nil
        case .null, .bool, .array, .object: return nil
        }
    }
}
