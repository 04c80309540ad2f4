import Contracts
import JobModel

/// The provider's own id of an exchange, for its support: `trace_id` (Iron), `traceId` (Connect), `request_id`.
enum RequestID {
    static func find(in answer: Answer, for context: CallContext) -> String? {
        let body = answer.json
        let candidates = [
            body?["trace_id"]?.string, body?["traceId"]?.string, body?["request_id"]?.string,
            body?["error"]?["request_id"]?.string, answer.headers["x-request-id"],
        ]
        guard let id = candidates.compactMap({ $0 }).first, (1...100).contains(id.utf8.count),
            id.unicodeScalars.allSatisfy({
                $0.isASCII
                    && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "_.:-".unicodeScalars.contains($0))
            })
        else { return nil }
        return Echo.isEcho(id, of: context.payload) ? nil : id
    }
}
