package import Contracts

/// How the simulator plays a kind, beyond what the rest of its definition says.
///
/// A payload is refused where the top level of its contract is broken. Templates have the new record's `{id}`, a UUID, or the
/// same as `{hex}`, its moment `{at}`, `{payload.name}` and parameters.
package struct KindSimulation: Sendable {
    /// The status of a success.
    package let status: Int
    /// The record that is made, as a template.
    package let record: JSONValue
    /// Whether the record has all members of the payload as well.
    package let echoesPayload: Bool
    /// Members of each success beside the record, as a template.
    package let envelope: JSONValue
    /// What is said, with 409, of a record that is there already: one with the same key of the look-up, or an open one of the
    /// same parent. Nil where the provider makes another.
    package let conflict: String?
    /// The status for a field whose value is refused; one that is missing gets 400.
    package let invalidStatus: Int

    /// Takes the record; the rest where a kind differs.
    package init(
        status: Int = 201, record: JSONValue, echoesPayload: Bool = false, envelope: JSONValue = [:],
        conflict: String? = nil, invalidStatus: Int = 400
    ) {
        self.status = status
        self.record = record
        self.echoesPayload = echoesPayload
        self.envelope = envelope
        self.conflict = conflict
        self.invalidStatus = invalidStatus
    }
}

extension JSONValue {
    /// The document with each `{name}` in its strings replaced. A string that is nothing else becomes the value, whatever its
    /// type. A member or element without a value is left out.
    package func filled(_ value: (String) -> JSONValue?) -> JSONValue? {
        switch self {
        case .null, .bool, .number: self
        case .array(let elements): .array(elements.compactMap { $0.filled(value) })
        case .object(let members): .object(members.compactMapValues { $0.filled(value) })
        case .string(let text): Self.filled(text, value)
        }
    }

    private static func filled(_ text: String, _ value: (String) -> JSONValue?) -> JSONValue? {
        var result = ""
        for (index, piece) in text.split(separator: "{", omittingEmptySubsequences: false).enumerated() {
            guard index > 0, let end = piece.firstIndex(of: "}") else {
                result += piece
                continue
            }
            guard let found = value(String(piece[..<end])) else { return nil }
            let rest = piece[piece.index(after: end)...]
            if result.isEmpty, rest.isEmpty, text.count == piece.count + 1 { return found }
            result += (found.string ?? found.serialized) + rest
        }
        return .string(result)
    }
}
