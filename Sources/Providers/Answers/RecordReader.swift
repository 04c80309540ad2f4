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
    func record(in body: JSONValue, for context: CallContext) -> FoundRecord? {
        let place = record(of: body)
        guard let id = place?[id].flatMap({ ProviderID.text($0, for: context) }) else { return nil }
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
