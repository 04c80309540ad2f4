package import Contracts

/// A request as a simulated provider sees it.
package struct SimulatedRequest: Sendable {
    /// The method in capitals.
    package var method: String
    /// The path below the provider's prefix, percent forms resolved.
    package var path: [String]
    /// The query, percent forms resolved.
    package var query: [String: String]
    /// Headers under lower-case names.
    package var headers: [String: String]
    /// The body as it came.
    package var body: [UInt8]

    /// Puts a request together.
    package init(
        method: String, path: [String], query: [String: String] = [:], headers: [String: String] = [:],
        body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }
}

/// An answer, and the effect that it reports if it made one.
package struct SimulatedAnswer: Sendable, Equatable {
    /// The HTTP status.
    package var status: Int
    /// The body.
    package var body: String
    /// Further headers.
    package var headers: [String: String] = [:]
    /// The provider's id of a record that this very request created.
    package var created: String?

    /// An answer with a JSON body.
    package init(_ status: Int, _ body: JSONValue, created: String? = nil) {
        self.status = status
        self.body = body.serialized
        self.created = created
    }

    /// The body as JSON; nil where it is none.
    var json: JSONValue? {
        // Plain text says nothing.
        try? JSONValue(parsing: Array(body.utf8))
    }
}
