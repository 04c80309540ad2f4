package import Contracts

/// Where a record and its id are in an answer.
package struct RecordPlace: Sendable {
    /// The member that holds the record; nil where the answer is the record.
    package let wrapper: String?
    /// Whether the answer itself is read where it has no such member.
    package let isTolerant: Bool
    /// The member with the id.
    package let id: String

    /// By default the answer is the record, with its id in `id`.
    package init(wrapper: String? = nil, isTolerant: Bool = false, id: String = "id") {
        self.wrapper = wrapper
        self.isTolerant = isTolerant
        self.id = id
    }

    /// The object that should be the record.
    package func record(of body: JSONValue) -> JSONValue? {
        guard let wrapper else { return body }
        return body[wrapper] ?? (isTolerant ? body : nil)
    }

    /// An answer with `record` in its place. A tolerant reader is given the record itself.
    package func body(with record: JSONValue) -> JSONValue {
        wrapper.map { isTolerant ? record : [$0: record] } ?? record
    }
}
