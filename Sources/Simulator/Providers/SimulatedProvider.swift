import Contracts

/// One provider as a state machine without I/O.
protocol SimulatedProvider: Sendable {
    /// The header that carries an idempotency key, lower case, and whether it is required.
    static var keyHeader: (name: String, isRequired: Bool)? { get }
    /// The status with which another body under a used key is refused.
    static var keyReuseStatus: Int { get }

    /// The key that lets a caller in.
    var apiKey: String { get set }

    /// Nil when the credentials are right.
    func refusal(of headers: [String: String]) -> SimulatedAnswer?
    /// Answers a request that is authorized and not a replay. `id` makes a new record's id, `at` is the time now.
    mutating func answer(_ request: SimulatedRequest, id: String, at: String) -> SimulatedAnswer
    /// The provider's form of an error.
    func error(_ status: Int, _ message: String, id: String) -> SimulatedAnswer
    /// A body without the id, for a success that cannot be read.
    var successWithoutID: JSONValue { get }
}

extension SimulatedRequest {
    /// The body as JSON; nil when it is none.
    var json: JSONValue? {
        // What is no JSON is refused by the provider in its own words.
        try? JSONValue(parsing: body)
    }
}

extension String {
    /// Whether it is an e-mail address that no provider takes: below `.invalid`, which is nobody's (RFC 2606).
    var isRefused: Bool { lowercased().hasSuffix(".invalid") }
}

extension JSONValue {
    /// The object's members with `more` added or replaced.
    func adding(_ more: [String: JSONValue]) -> JSONValue {
        .object((object ?? [:]).merging(more) { $1 })
    }
}
