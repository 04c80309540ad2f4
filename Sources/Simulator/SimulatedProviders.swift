import Crypto
import FoundationEssentials

/// The four providers as one state machine without I/O: a request goes in, an answer comes out, effects are kept.
package struct SimulatedProviders: Sendable {
    /// One answer: status and JSON text.
    package struct Answer: Sendable, Equatable {
        package let status: Int
        package let body: String
    }

    private struct Fields: Decodable {
        var customer_type: String?
        var email: String?
        var external_id: String?
        var name: String?
        var partner_customer_id: String?
    }

    private var stored: [String: (digest: String, answer: Answer)] = [:]
    private var records: [String: String] = [:]
    /// The effects so far, each one line of JSON: sequence, provider, kind, provider's id, key, digest of the body.
    package private(set) var ledger: [String] = []

    package init() {}

    /// Answers a request whose headers have lower-case names; `id` makes provider ids, `at` is an RFC 3339 time.
    package mutating func answer(
        method: String, path: String, headers: [String: String], body: [UInt8], id: String, at: String,
    ) -> Answer {
        let provider = path.split(separator: "/").first.map(String.init) ?? ""
        guard authorized(provider, headers) else {
            return Self.text(provider == "connect" ? 403 : 401, "authorization error")
        }
        guard method == "POST" else { return lookUp(path) }
        guard headers["content-type"]?.hasPrefix("application/json") == true else {
            return Self.text(415, "content type must be application/json")
        }
        let key = headers["idempotency-key"]
        if provider == "iron", key.flatMap({ UUID(uuidString: $0) }) == nil {
            return Self.text(400, "IDEMPOTENCY-KEY must be a UUID")
        }
        if provider == "juicyway", let key, UUID(uuidString: key) == nil {
            return Self.text(400, "Idempotency-Key must be a UUID")
        }
        let digest = SHA256.hash(data: body).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        let slot = key.map { "\(path) \($0)" }
        if provider == "iron" || provider == "juicyway", let slot, let earlier = stored[slot] {
            if earlier.digest == digest { return earlier.answer }
            return Self.text(provider == "iron" ? 400 : 422, "idempotency key was used with another body")
        }
        // Why it does not decode is not part of the answer.
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(body)) else {
            return Self.text(400, "body is not a valid JSON object")
        }
        let count = ledger.count
        let answer = create(path, fields, id: id, at: at, key: key, digest: digest)
        if let slot, ledger.count > count { stored[slot] = (digest, answer) }
        return answer
    }

    private func authorized(_ provider: String, _ headers: [String: String]) -> Bool {
        switch provider {
        case "iron", "connect": headers["x-api-key"] == "sandbox"
        case "axisfi": headers["x-api-key"] == "sandbox" && headers["x-api-secret"] == "sandbox"
        case "juicyway": headers["authorization"] == "sandbox"
        default: true
        }
    }

    private mutating func create(
        _ path: String, _ fields: Fields, id: String, at: String, key: String?, digest: String,
    ) -> Answer {
        var kind = path
        let answer: Answer
        var places: [String] = []
        switch path {
        case "/iron/api/customers":
            guard let type = fields.customer_type, type == "Person" || type == "Business", let email = fields.email
            else { return Self.text(400, "customer_type and email are required") }
            let external = fields.external_id.map { ",\"external_id\":\(Self.quoted($0))" } ?? ""
            let json =
                "{\"id\":\"\(id)\",\"created_at\":\"\(at)\",\"updated_at\":\"\(at)\",\"customer_type\":\"\(type)\","
                + "\"email\":\(Self.quoted(email)),\"name\":\(Self.quoted(fields.name ?? "")),\"identification_ids\":[],"
                + "\"signing_ids\":[],\"partner_id\":\"\(id)\",\"status\":\"UserRequired\"\(external)}"
            answer = Answer(status: 201, body: json)
            places = ["/iron/api/customers/\(id)"]
            if let external = fields.external_id { places.append("/iron/api/customers/\(external)/external") }
        case "/connect/customers/individual":
            answer = Answer(
                status: 201, body: "{\"traceId\":\"\(id)\",\"message\":\"success\",\"data\":{\"id\":\"\(id)\"}}")
        case "/axisfi/api/customers/create":
            guard let partner = fields.partner_customer_id, (20...64).contains(partner.utf8.count) else {
                return Self.text(400, "partner_customer_id is required")
            }
            let place = "/axisfi/api/customers/detail?partner_customer_id=\(partner)"
            guard records[place] == nil else { return Self.text(409, "partner_customer_id exists") }
            let hex = id.filter { $0 != "-" }
            answer = Answer(
                status: 200,
                body:
                    "{\"customer_id\":\"cus_\(hex)\",\"partner_customer_id\":\(Self.quoted(partner)),\"status\":\"PENDING\"}"
            )
            places = [place]
        case "/juicyway/customers":
            guard let email = fields.email else { return Self.text(400, "email is required") }
            let place = "/juicyway/customers?email=\(email)"
            guard records[place] == nil else {
                return Answer(
                    status: 409, body: "{\"error\":{\"code\":\"conflict\",\"message\":\"Customer already exists\"}}")
            }
            answer = Answer(status: 201, body: "{\"data\":{\"id\":\"\(id)\",\"email\":\(Self.quoted(email))}}")
            places = [place, "/juicyway/customers/\(id)"]
        default:
            let parts = path.split(separator: "/")
            guard parts.count == 5, path.hasPrefix("/iron/api/customers/"), parts[4] == "identifications",
                records["/iron/api/customers/\(parts[3])"] != nil
            else { return Self.text(404, "not found") }
            guard records[path] == nil else { return Self.text(409, "Has Pending Identification") }
            kind = "/iron/api/customers/{id}/identifications"
            answer = Answer(
                status: 201,
                body:
                    "{\"id\":\"\(id)\",\"customer_id\":\"\(parts[3])\",\"status\":\"Pending\",\"created_at\":\"\(at)\","
                    + "\"updated_at\":\"\(at)\"}")
            records[path] = "[\(answer.body)]"
            places = ["/iron/api/identifications/\(id)"]
        }
        for place in places { records[place] = answer.body }
        ledger.append(
            "{\"seq\":\(ledger.count + 1),\"kind\":\(Self.quoted(kind)),\"provider_id\":\"\(id)\","
                + "\"idempotency_key\":\(key.map(Self.quoted) ?? "null"),\"body_sha256\":\"\(digest)\",\"at\":\"\(at)\"}"
        )
        return answer
    }

    private func lookUp(_ path: String) -> Answer {
        records[path].map { Answer(status: 200, body: $0) } ?? Self.text(404, "not found")
    }

    private static func text(_ status: Int, _ message: String) -> Answer {
        Answer(status: status, body: quoted(message))
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { result += "\\" }
            if scalar.value < 32 { result += " " } else { result.unicodeScalars.append(scalar) }
        }
        return result + "\""
    }
}
