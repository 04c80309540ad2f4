import Contracts
import JobModel

extension LookUp {
    /// Reads the answer to a look-up. Only a clear answer counts as one; a look-up creates nothing.
    func read(_ answer: Answer, for context: CallContext) -> CallResult {
        let outcome: Outcome
        switch answer.status {
        case 200:
            guard let body = answer.json else { outcome = .unavailable; break }
            guard let found = find(body, context) else { outcome = .notFound; break }
            var result = CallResult(.adopted, mayHaveReached: false, httpStatus: answer.status)
            result.providerID = found.id
            result.providerStatus = found.status
            return result
        case 404: outcome = .notFound
        case 400, 405, 410, 414, 422: outcome = .rejected
        case 401, 403: outcome = .unauthorized
        case 429: outcome = .throttled
        case 503 where answer.headers["retry-after"] != nil: outcome = .throttled
        default: outcome = .unavailable
        }
        return CallResult(outcome, mayHaveReached: false, httpStatus: answer.status)
    }
}
