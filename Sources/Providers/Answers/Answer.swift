import Contracts

/// What came back over HTTP.
struct Answer: Sendable {
    let status: Int
    /// Lower-case names; of equal names the first counts.
    let headers: [String: String]
    let body: [UInt8]

    /// The body as JSON, if it is.
    var json: JSONValue? {
        // A body that is no JSON is an answer as well: it has no members.
        try? JSONValue(parsing: body)
    }
}
