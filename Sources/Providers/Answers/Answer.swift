import Contracts

/// What came back over HTTP.
struct Answer: Sendable {
    let status: Int
    /// Lower-case names; of equal names the first counts.
    let headers: [String: String]
    let body: [UInt8]
    /// The body as JSON, if it is; a body that is none is an answer as well, without members.
    let json: JSONValue?

    init(status: Int, headers: [String: String], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
        // What cannot be read says nothing.
        json = try? JSONValue(readingTolerantly: AnswerText.decode(body, contentType: headers["content-type"] ?? ""))
    }
}
