import Contracts

/// Iron's customers and identifications (`providers.md`, sections 1 and 2).
struct SimulatedIron: SimulatedProvider {
    static let keyHeader: (name: String, isRequired: Bool)? = ("idempotency-key", true)
    static let keyReuseStatus = 400

    var apiKey: String
    private var customers: [String: JSONValue] = [:]
    private var byExternalID: [String: String] = [:]
    private var identifications: [String: JSONValue] = [:]
    private var ofCustomer: [String: [String]] = [:]

    init(apiKey: String) {
        self.apiKey = apiKey
    }

    var successWithoutID: JSONValue { .object(["status": .string("UserRequired")]) }

    func refusal(of headers: [String: String]) -> SimulatedAnswer? {
        headers["x-api-key"] == apiKey ? nil : SimulatedAnswer(401, .string("authorization error"))
    }

    func error(_ status: Int, _ message: String, id: String) -> SimulatedAnswer {
        guard status >= 500 else { return SimulatedAnswer(status, .string(message)) }
        return SimulatedAnswer(status, .object(["message": .string(message), "trace_id": .string(id)]))
    }

    mutating func answer(_ request: SimulatedRequest, id: String, at: String) -> SimulatedAnswer {
        let path = request.path
        switch (request.method, path.count, path.first) {
        case ("POST", 1, "customers"): return createCustomer(request, id, at)
        case ("GET", 2, "customers"): return found(customers[path[1]], id)
        case ("GET", 3, "customers") where path[2] == "external":
            return found(byExternalID[path[1]].flatMap { customers[$0] }, id)
        case ("GET", 3, "customers") where path[2] == "identifications":
            guard customers[path[1]] != nil else { return error(404, "customer not found", id: id) }
            let items = (ofCustomer[path[1]] ?? []).reversed().compactMap { identifications[$0] }
            return SimulatedAnswer(200, .object(["items": .array(Array(items))]))
        case ("GET", 2, "identifications"): return found(identifications[path[1]], id)
        case ("POST", 3, "customers") where path[2] == "identifications":
            return createIdentification(request, of: path[1], isSecondVersion: false, id, at)
        case ("POST", 4, "customers") where path[2] == "identifications" && path[3] == "v2":
            return createIdentification(request, of: path[1], isSecondVersion: true, id, at)
        default: return error(404, "not found", id: id)
        }
    }

    private func found(_ record: JSONValue?, _ id: String) -> SimulatedAnswer {
        record.map { SimulatedAnswer(200, $0) } ?? error(404, "not found", id: id)
    }

    private mutating func createCustomer(_ request: SimulatedRequest, _ id: String, _ at: String) -> SimulatedAnswer {
        guard let body = request.json, let type = body["customer_type"]?.string, ["Business", "Person"].contains(type),
            let email = body["email"]?.string, email.contains("@"), !email.isRefused
        else { return error(400, "customer_type and email are required and must be valid", id: id) }
        let external = body["external_id"]?.string
        var record: [String: JSONValue] = [
            "id": .string(id), "created_at": .string(at), "updated_at": .string(at), "customer_type": .string(type),
            "email": .string(email), "name": body["name"] ?? .string(""), "identification_ids": .array([]),
            "signing_ids": .array([]), "partner_id": .string("3c90c3cc-0d44-4b50-8888-8dd25736052a"),
            "status": .string("IdentificationRequired"),
        ]
        if let external {
            record["external_id"] = .string(external)
            byExternalID[external] = id
        }
        customers[id] = .object(record)
        return SimulatedAnswer(201, .object(record), created: id)
    }

    private mutating func createIdentification(
        _ request: SimulatedRequest, of customer: String, isSecondVersion: Bool, _ id: String, _ at: String
    ) -> SimulatedAnswer {
        guard customers[customer] != nil else { return error(404, "customer not found", id: id) }
        let secondVersion = ["Link", "Token", "Person", "Business"]
        guard let type = request.json?["type"]?.string, secondVersion.contains(type) == isSecondVersion else {
            return error(400, "type is required and must be valid", id: id)
        }
        let open = (ofCustomer[customer] ?? []).contains {
            !["Declined", "Expired", "Archived"].contains(identifications[$0]?["status"]?.string ?? "")
        }
        guard !open else { return error(409, "Has Pending Identification", id: id) }
        let record: JSONValue = .object([
            "id": .string(id), "customer_id": .string(customer), "status": .string("Pending"),
            "created_at": .string(at),
            "updated_at": .string(at), "url": .string("https://kyc.example.com/\(id)"),
        ])
        identifications[id] = record
        ofCustomer[customer, default: []].append(id)
        return SimulatedAnswer(201, record, created: id)
    }
}
