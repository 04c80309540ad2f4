import Contracts

/// One record that a provider created: what it was asked under, never whose it is.
package struct Effect: Sendable, Equatable {
    /// Its place in the ledger, from 1.
    package let sequence: Int
    /// The provider's name.
    package let provider: String
    /// The path that was called, without ids.
    package let operation: String
    /// The provider's id of the record.
    package let providerID: String
    /// The key of the request, if it had one.
    package let idempotencyKey: String?
    /// SHA-256 of the body, hexadecimal.
    package let bodyDigest: String
    /// When.
    package let at: String

    /// One line of JSON.
    var line: String {
        JSONValue.object([
            "seq": .number(String(sequence)), "provider": .string(provider), "operation": .string(operation),
            "provider_id": .string(providerID), "idempotency_key": idempotencyKey.map(JSONValue.string) ?? .null,
            "body_sha256": .string(bodyDigest), "at": .string(at),
        ]).serialized
    }
}
