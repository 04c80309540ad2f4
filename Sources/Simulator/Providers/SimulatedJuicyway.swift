import Contracts

/// Juicyway's customers (`providers.md`, section 5): e-mail addresses are unique, unless duplicates are accepted.
struct SimulatedJuicyway: SimulatedProvider {
    static let keyHeader: (name: String, isRequired: Bool)? = ("idempotency-key", false)
    static let keyReuseStatus = 422

    var apiKey: String
    let acceptsDuplicates: Bool
    private var customers: [String: JSONValue] = [:]
    private var byEmail: [String: String] = [:]

    init(apiKey: String, acceptsDuplicates: Bool = false) {
        self.acceptsDuplicates = acceptsDuplicates
        self.apiKey = apiKey
    }

    var successWithoutID: JSONValue { .object(["data": .object(["status": .string("pending_kyc")])]) }

    func refusal(of headers: [String: String]) -> SimulatedAnswer? {
        let value = headers["authorization"]
        return value == apiKey || value == "Bearer \(apiKey)" ? nil : error(401, "unauthorized", id: "0")
    }

    func error(_ status: Int, _ message: String, id: String) -> SimulatedAnswer {
        SimulatedAnswer(
            status,
            .object([
                "error": .object([
                    "code": .string(status == 409 ? "conflict" : "validation_error"), "message": .string(message),
                    "type": .string("invalid_request_error"),
                ]),
                "request_id": .string(id),
            ]))
    }

    mutating func answer(_ request: SimulatedRequest, id: String, at: String) -> SimulatedAnswer {
        switch (request.method, request.path.count, request.path.first) {
        case ("POST", 1, "customers"): break
        case ("GET", 1, "customers"):
            let found = byEmail[request.query["email"]?.lowercased() ?? ""].flatMap { customers[$0] }
            return SimulatedAnswer(
                200, .object(["data": .array(found.map { [$0] } ?? []), "pagination": .object([:])]))
        case ("GET", 2, "customers"):
            return customers[request.path[1]].map { SimulatedAnswer(200, .object(["data": $0])) }
                ?? error(404, "not found", id: id)
        default: return error(404, "not found", id: id)
        }
        let required = ["first_name", "last_name", "email", "phone", "type"]
        guard let body = request.json, required.allSatisfy({ body[$0]?.string?.isEmpty == false }),
            let email = body["email"]?.string,
            body["billing_address"]?.object != nil
        else { return error(400, "required fields are missing", id: id) }
        guard email.contains("@"), ["individual", "business"].contains(body["type"]?.string) else {
            return error(422, "invalid field values", id: id)
        }
        guard !email.isRefused else { return error(422, "invalid field values", id: id) }
        guard acceptsDuplicates || byEmail[email.lowercased()] == nil else {
            return error(409, "Customer already exists", id: id)
        }
        let record = body.adding(["id": .string(id), "status": .string("pending_kyc"), "created_at": .string(at)])
        customers[id] = record
        // Of several the first is shown.
        if byEmail[email.lowercased()] == nil { byEmail[email.lowercased()] = id }
        return SimulatedAnswer(
            201,
            .object([
                "data": .object([
                    "id": .string(id), "status": .string("pending_kyc"), "created_at": .string(at),
                    "email": .string(email),
                ])
            ]),
            created: id)
    }
}
