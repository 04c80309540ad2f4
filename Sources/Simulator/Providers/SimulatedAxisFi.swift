import Contracts

/// AxisFi's business customers (`providers.md`, section 4). What a duplicate gets is not documented: here 409, or a
/// record of its own.
struct SimulatedAxisFi: SimulatedProvider {
    static let keyHeader: (name: String, isRequired: Bool)? = nil
    static let keyReuseStatus = 400

    var apiKey: String
    let apiSecret: String
    let acceptsDuplicates: Bool
    private var customers: [String: JSONValue] = [:]

    init(apiKey: String, apiSecret: String, acceptsDuplicates: Bool = false) {
        self.acceptsDuplicates = acceptsDuplicates
        self.apiKey = apiKey
        self.apiSecret = apiSecret
    }

    var successWithoutID: JSONValue { .object(["status": .string("pending")]) }

    func refusal(of headers: [String: String]) -> SimulatedAnswer? {
        headers["x-api-key"] == apiKey && headers["x-api-secret"] == apiSecret
            ? nil : error(401, "unauthorized", id: "0")
    }

    func error(_ status: Int, _ message: String, id: String) -> SimulatedAnswer {
        SimulatedAnswer(status, .object(["message": .string(message)]))
    }

    mutating func answer(_ request: SimulatedRequest, id: String, at: String) -> SimulatedAnswer {
        switch (request.method, request.path) {
        case ("POST", ["api", "customers", "create"]): break
        case ("GET", ["api", "customers", "detail"]):
            return customers[request.query["partner_customer_id"] ?? ""].map { SimulatedAnswer(200, $0) }
                ?? error(404, "customer not found", id: id)
        default: return error(404, "not found", id: id)
        }
        guard let body = request.json, let partner = body["partner_customer_id"]?.string,
            (20...64).contains(partner.count),
            body["business_details"]?.object != nil, body["registration_address"]?.object != nil
        else {
            return error(400, "partner_customer_id, business_details and registration_address are required", id: id)
        }
        guard acceptsDuplicates || customers[partner] == nil else {
            return error(409, "partner_customer_id already exists", id: id)
        }
        let customer = "cus_" + id.filter { $0 != "-" }
        let record = body.adding([
            "customer_id": .string(customer), "status": .string("pending"), "created_at": .string(at),
        ])
        // Of several the first is shown.
        if customers[partner] == nil { customers[partner] = record }
        return SimulatedAnswer(200, record, created: customer)
    }
}
