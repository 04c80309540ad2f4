import Contracts

/// Finds a record's id and status in an answer, tolerantly: only the id must be there.
struct RecordReader: Sendable {
    /// The members that lead to the record.
    let path: [String]
    /// The member with the id.
    var id = "id"

    /// The record; nil without an id. An unknown status is kept as it is.
    func record(in body: JSONValue) -> FoundRecord? {
        var place = body
        for member in path {
            guard let next = place[member] else { return nil }
            place = next
        }
        guard let id = place[id]?.string, !id.isEmpty, id.utf8.count <= 255 else { return nil }
        return FoundRecord(id: id, status: place["status"]?.string)
    }
}
