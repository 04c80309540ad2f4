import Contracts
import JobModel
import Kinds

/// Reads the answer to a request that creates: what each status means.
enum CreationReader {
    static func read(_ answer: Answer, for context: CallContext) -> CallResult {
        let lostAnswer = context.definition.policy.lostAnswer
        switch answer.status {
        case 200..<300: return success(answer, context)
        case 400, 402, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431:
            return CallResult(.rejected, mayHaveReached: false, httpStatus: answer.status)
        case 401, 403:
            return CallResult(.unauthorized, mayHaveReached: false, httpStatus: answer.status)
        case 429:
            return CallResult(.throttled, mayHaveReached: false, httpStatus: answer.status)
        // It asks to wait, and whatever gave up behind it may have acted: where nothing protects a resend, none is made.
        case 503 where RetryAfter.isAsked(answer.headers) && lostAnswer != .ambiguous:
            return CallResult(.throttled, mayHaveReached: true, httpStatus: answer.status)
        case 408, 425, 500...:
            return CallResult(lostAnswer, mayHaveReached: true, httpStatus: answer.status)
        default:
            // 409 and what nobody documents: the record may be there.
            return CallResult(.ambiguous, mayHaveReached: true, httpStatus: answer.status)
        }
    }

    private static func success(_ answer: Answer, _ context: CallContext) -> CallResult {
        var unclear = CallResult(.ambiguous, mayHaveReached: true, httpStatus: answer.status)
        let definition = context.definition
        guard let record = answer.json.flatMap(definition.record.record(of:)),
            let found = FoundRecord(record, for: context)
        else {
            unclear.error = "answered without a readable id"
            unclear.isUnreadable = true
            return unclear
        }
        if let field = definition.identity.contradiction(in: record, context) {
            unclear.error = "the answer repeats another \(field)"
            return unclear
        }
        var result = CallResult(.succeeded, mayHaveReached: true, httpStatus: answer.status)
        result.providerID = found.id
        result.providerStatus = found.status
        return result
    }
}

extension RecoveryPolicy {
    /// What a lost answer means: `.unavailable` where sending again is safe, else `.ambiguous`.
    var lostAnswer: Outcome { resend == .never ? .ambiguous : .unavailable }
}
