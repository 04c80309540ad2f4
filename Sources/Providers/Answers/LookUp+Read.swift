import Contracts
import JobModel

extension LookUp {
    /// Reads the answer to a look-up. Only a clear answer counts as one; a look-up creates nothing.
    func read(_ answer: Answer, for context: CallContext) -> CallResult {
        let outcome: Outcome
        switch answer.status {
        case 200:
            switch answer.json.map({ find($0, context) }) ?? .unreadable {
            case .found(let record):
                var result = CallResult(.adopted, mayHaveReached: false, httpStatus: answer.status)
                result.providerID = record.id
                result.providerStatus = record.status
                return result
            case .absent: outcome = .notFound
            // After a conflict on the first attempt, the record in the way is somebody else's (design, section 5).
            case .others where context.claim.lastCreateStatus == 409 && context.claim.attempt <= 1: outcome = .notFound
            // What cannot be read proves nothing, least of all that there is no record.
            case .others, .unreadable: outcome = .unavailable
            }
        case 404: outcome = .notFound
        case 400, 405, 410, 414, 422: outcome = .rejected
        case 401, 403: outcome = .unauthorized
        case 429: outcome = .throttled
        case 503 where RetryAfter.isAsked(answer.headers): outcome = .throttled
        default: outcome = .unavailable
        }
        return CallResult(outcome, mayHaveReached: false, httpStatus: answer.status)
    }
}
