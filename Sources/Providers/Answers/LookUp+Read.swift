import Contracts
import JobModel

extension LookUp {
    /// Reads the answer to a look-up. Only a clear answer counts as one; a look-up creates nothing.
    ///
    /// - Parameter body: what a 200 said, the pages of a list put together.
    func read(_ answer: Answer, _ body: JSONValue?, for context: CallContext) -> CallResult {
        var result = CallResult(.unavailable, mayHaveReached: false, httpStatus: answer.status)
        switch answer.status {
        case 200: read(body.map { find($0, context) } ?? .unreadable, into: &result, context)
        case 404: result.outcome = .notFound
        case 400, 405, 410, 414, 422: result.outcome = .rejected
        case 401, 403: result.outcome = .unauthorized
        case 429: result.outcome = .throttled
        case 503 where RetryAfter.isAsked(answer.headers): result.outcome = .throttled
        case 408, 425, 500...: break
        // Nobody documents it, and it may come for ever.
        default: result.isUnreadable = true
        }
        return result
    }

    private func read(_ finding: Finding, into result: inout CallResult, _ context: CallContext) {
        switch finding {
        case .found(let record, let place):
            guard !isFirstConflict(context) || isOurs(place, context) else {
                // The record in the way may be anybody's (design, section 5).
                result.outcome = .notFound
                return
            }
            let contradictions = Agreement.contradictions(of: place, with: context.payload)
            guard contradictions.isEmpty else {
                result.outcome = .ambiguous
                let shown = contradictions.prefix(5).joined(separator: ", ")
                result.error = "a record was found that contradicts the payload in: \(shown)"
                return
            }
            result.outcome = .adopted
            result.providerID = record.id
            result.providerStatus = record.status
        case .absent: result.outcome = .notFound
        case .others where isFirstConflict(context): result.outcome = .notFound
        case .others:
            result.isUnreadable = true
            result.error = "the answer shows another record than the one asked for"
        // What cannot be read proves nothing, least of all that there is no record.
        case .unreadable: result.isUnreadable = true
        }
    }

    private func isOurs(_ record: JSONValue, _ context: CallContext) -> Bool {
        isProvedByPath || identity.isProved(by: record, context)
    }

    /// After a conflict on the first attempt, the record in the way was not made by this job.
    private func isFirstConflict(_ context: CallContext) -> Bool {
        context.claim.lastCreateStatus == 409 && context.claim.attempt <= 1
    }
}

/// Whether an answer of 200 says that there is no record.
enum Absence {
    /// A record that is there and empty, unless the answer tells of an error: some providers put every failure into a 200.
    static func isClear(_ body: JSONValue, wrapper: String) -> Bool {
        if body == .null || saysNotFound(body) { return true }
        guard let place = body[wrapper], [.null, .object([:]), .array([])].contains(place) else { return false }
        return !tellsOfError(body)
    }

    private static func saysNotFound(_ body: JSONValue) -> Bool {
        guard let code = code(of: body) ?? body["error"].flatMap(code) else { return false }
        return code == "404" || code == "not_found" || code.hasSuffix("_not_found")
    }

    private static func tellsOfError(_ body: JSONValue) -> Bool {
        if body["success"] == .bool(false) { return true }
        if let error = body["error"], ![.null, .bool(false), .string(""), .object([:])].contains(error) { return true }
        guard let code = code(of: body) else { return false }
        return !["0", "200", "00000", "ok", "success"].contains(code)
    }

    private static func code(of body: JSONValue) -> String? {
        switch body["code"] ?? body["status_code"] ?? .null {
        case .string(let text), .number(let text): text.lowercased()
        default: nil
        }
    }
}
