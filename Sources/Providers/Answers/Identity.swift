import Contracts
import Kinds

extension Identity {
    /// What the record says of it against what was sent: nil where one of them says nothing.
    func agrees(_ record: JSONValue, _ context: CallContext) -> Bool? {
        let value = path.reduce(Optional(record)) { $0?[$1] }
        guard let said = value?.string, let sent = context.value(of: sent) else { return nil }
        return Agreement.agree(said, sent, isID: Agreement.isID(field))
    }
}

extension [Identity] {
    /// All that the request said.
    func sent(_ context: CallContext) -> [String] { compactMap { context.value(of: $0.sent) } }

    /// The first field in which a record is certainly another one's.
    func contradiction(in record: JSONValue, _ context: CallContext) -> String? {
        first { $0.agrees(record, context) == false }?.field
    }

    /// Whether the record shows that it is the job's.
    func isProved(by record: JSONValue, _ context: CallContext) -> Bool {
        contains { $0.agrees(record, context) == true }
    }
}
