import Contracts
import FoundationEssentials
import JobModel

/// A claim with its payload and parameters read, for the length of one call.
struct CallContext: Sendable {
    let claim: Claim
    let payload: JSONView
    let parameters: JSONValue
    /// The moment on this machine's clock.
    let now: Date

    /// Nil when the payload or the parameters cannot be read.
    init?(_ claim: Claim, now: Date = .distantPast) {
        do {
            self.claim = claim
            self.now = now
            payload = try JSONView(parsing: claim.payload ?? [])
            parameters = try JSONValue(parsing: claim.parameters)
        } catch {
            return nil
        }
    }

    /// Iron's id of the customer: the caller's, else that of the job waited for.
    var customerID: String? { parameters["customer_id"]?.string ?? claim.afterProviderID }

    /// `text` as one segment of a path or one value of a query: all but RFC 3986's unreserved
    /// characters in percent form, and dots alone as well, since those would climb.
    static func encoded(_ text: String) -> String? {
        guard !text.isEmpty, !text.allSatisfy({ $0 == "." }) else { return nil }
        var result = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            if scalar.isASCII,
                scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "-._~".unicodeScalars.contains(scalar)
            {
                result.unicodeScalars.append(scalar)
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                result += "%" + (hex.count == 1 ? "0" + hex : hex)
            }
        }
        return result
    }
}
