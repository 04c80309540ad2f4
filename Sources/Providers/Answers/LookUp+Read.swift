import Contracts
import JobModel
import Kinds

extension LookUp {
    /// Reads the answer to a look-up. Only a clear answer counts as one; a look-up creates nothing.
    ///
    /// - Parameter body: what a 200 said, the pages of a list put together.
    func read(_ answer: Answer, _ body: JSONValue?, for context: CallContext) -> CallResult {
        var result = CallResult(.unavailable, mayHaveReached: false, httpStatus: answer.status)
        switch answer.status {
        case 200: read(body.map { Finding(self, in: $0, for: context) } ?? .unreadable, into: &result, context)
        case 404:
            if Absence.isClear(answer.json, status: 404, for: context) {
                result.outcome = .notFound
            } else {
                result.isUnreadable = true
            }
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
                // The record in the way may be anybody's.
                result.outcome = .notFound
                return
            }
            let contradictions = Agreement.contradictions(of: place, with: context)
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
        isProvedByPath || context.definition.identity.isProved(by: record, context)
    }

    /// After a conflict on the first attempt, the record in the way was not made by this job.
    private func isFirstConflict(_ context: CallContext) -> Bool {
        context.claim.lastCreateStatus == 409 && context.claim.attempt <= 1
    }
}
