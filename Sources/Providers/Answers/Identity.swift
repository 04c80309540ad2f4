import Contracts
import JobModel

/// What an answer repeats of a request and whose record it is shows by.
struct Identity: Sendable {
    /// The field's name in errors.
    let field: String
    /// Where it stands in the record, member by member.
    let path: [String]
    /// What the request said.
    let sent: @Sendable (CallContext) -> String?

    /// A field that payload and record have under one name.
    static func payload(_ path: String...) -> Identity {
        Identity(field: path.joined(separator: "."), path: path) { context in
            path.reduce(Optional(context.payload)) { $0?[$1] }?.string
        }
    }

    /// Iron's id of the customer.
    static let customerID = Identity(field: "customer_id", path: ["customer_id"]) { $0.customerID }

    /// What the record says of it against what was sent: nil where one of them says nothing.
    func agrees(_ record: JSONValue, _ context: CallContext) -> Bool? {
        let value = path.reduce(Optional(record)) { $0?[$1] }
        guard let said = value?.string, let sent = sent(context) else { return nil }
        return Agreement.agree(said, sent, isID: Agreement.isID(field))
    }
}

extension [Identity] {
    /// All that the request said.
    func sent(_ context: CallContext) -> [String] { compactMap { $0.sent(context) } }

    /// The first field in which a record is certainly another one's.
    func contradiction(in record: JSONValue, _ context: CallContext) -> String? {
        first { $0.agrees(record, context) == false }?.field
    }

    /// Whether the record shows that it is the job's.
    func isProved(by record: JSONValue, _ context: CallContext) -> Bool {
        contains { $0.agrees(record, context) == true }
    }
}
