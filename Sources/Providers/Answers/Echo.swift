import Contracts
import JobModel
import Kinds

/// Whether a provider only says back what it was sent; an answer may put a person's name anywhere.
enum Echo {
    /// Whether `text` holds a value of the payload or is part of one.
    static func isEcho(_ text: String, of payload: JSONView) -> Bool {
        let lower = text.lowercased()
        var isEcho = false
        payload.forEachString { value in
            // A document is told by its size: no status is part of one but by chance.
            guard !isEcho, value.utf8.count <= 100_000 else { return }
            let value = value.lowercased()
            if value.count >= 3, lower.contains(value) { isEcho = true }
            if lower.count >= 3, value.contains(lower) { isEcho = true }
        }
        return isEcho
    }

    /// The statuses that any provider documents.
    private static let documented: Set<String> = Registry.shipped.kinds.reduce(into: []) { $0.formUnion($1.statuses) }

    /// Whether `text` is a status that a provider documents.
    static func isStatus(_ text: String, of context: CallContext) -> Bool {
        let lower = text.lowercased()
        return context.definition.statuses.contains(lower) || documented.contains(lower)
    }

    /// Whether `text` is a value that was sent.
    static func isValue(_ text: String, of context: CallContext) -> Bool {
        let lower = text.lowercased()
        let parameters = (context.parameters.object ?? [:]).values.map(\.string)
        let others = parameters + [context.claim.afterProviderID, context.claim.idempotencyKey]
        var isValue = others.contains { $0?.lowercased() == lower }
        context.payload.forEachString {
            if $0.utf8.count == text.utf8.count, $0.lowercased() == lower { isValue = true }
        }
        return isValue
    }

    /// The status, unless it may be a value of the payload.
    static func status(_ status: String?, of context: CallContext) -> String? {
        guard let status, !isStatus(status, of: context) else { return status }
        return isEcho(status, of: context.payload) ? nil : status
    }
}
