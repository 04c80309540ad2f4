import Contracts
import JobModel

/// Whether a provider only says back what it was sent; an answer may put a person's name anywhere.
enum Echo {
    /// Statuses that providers document (`providers.md`, sections 1.3, 2.3, 4.4 and 5.3), whatever the payload says.
    private static let knownStatuses: Set<String> = [
        "userrequired", "signingsrequired", "identificationrequired", "active", "suspended", "archived", "pending",
        "processed", "pendingreview", "approved", "declined", "expired", "rejected", "processing", "succeeded",
        "failed", "pending_kyc",
    ]

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

    /// Whether `text` is a status that a provider documents.
    static func isStatus(_ text: String) -> Bool { knownStatuses.contains(text.lowercased()) }

    /// Whether `text` is a value that was sent.
    static func isValue(_ text: String, of context: CallContext) -> Bool {
        let lower = text.lowercased()
        var isValue = [context.customerID, context.claim.idempotencyKey].contains { $0?.lowercased() == lower }
        context.payload.forEachString {
            if $0.utf8.count == text.utf8.count, $0.lowercased() == lower { isValue = true }
        }
        return isValue
    }

    /// The status, unless it may be a value of the payload.
    static func status(_ status: String?, of payload: JSONView) -> String? {
        guard let status, !isStatus(status) else { return status }
        return isEcho(status, of: payload) ? nil : status
    }
}
