import Contracts

/// The Connect gateway's individual customers (`providers.md`, section 3): no key, and a list that proves nothing.
struct SimulatedConnect: SimulatedProvider {
    static let keyHeader: (name: String, isRequired: Bool)? = nil
    static let keyReuseStatus = 400

    var apiKey: String
    let header: String
    private var names: [(id: String, name: String)] = []

    init(apiKey: String, header: String = "x-api-key") {
        self.apiKey = apiKey
        self.header = header
    }

    var successWithoutID: JSONValue { .object(["message": .string("created"), "data": .object([:])]) }

    func refusal(of headers: [String: String]) -> SimulatedAnswer? {
        headers[header] == apiKey ? nil : error(403, "The API key is invalid", id: "0")
    }

    func error(_ status: Int, _ message: String, id: String) -> SimulatedAnswer {
        SimulatedAnswer(status, .object(["traceId": .string(id), "message": .string(message)]))
    }

    mutating func answer(_ request: SimulatedRequest, id: String, at: String) -> SimulatedAnswer {
        switch (request.method, request.path) {
        case ("POST", ["customers", "individual"]): break
        case ("GET", ["v1", "customers"]), ("GET", ["customers"]):
            let rows = names.suffix(20).map {
                JSONValue.object([
                    "id": .string($0.id), "name": .string($0.name), "type": .string("NATURAL"),
                    "portfolios": .array([]),
                ])
            }
            return SimulatedAnswer(
                200, .object(["traceId": .string(id), "message": .string("ok"), "data": .array(rows)]))
        default: return error(404, "not found", id: id)
        }
        let sections = ["basicData", "taxInformation", "identification", "mainAddress"]
        guard let body = request.json, sections.allSatisfy({ body[$0]?.object != nil }) else {
            return error(400, "required fields are missing or have invalid formats", id: id)
        }
        if body["email"]?.string?.isRefused == true {
            return error(400, "required fields are missing or have invalid formats", id: id)
        }
        let name = [body["basicData"]?["firstName"]?.string, body["basicData"]?["lastName"]?.string].compactMap { $0 }
        names.append((id, name.joined(separator: " ")))
        return SimulatedAnswer(
            201,
            .object(["traceId": .string(id), "message": .string("created"), "data": .object(["id": .string(id)])]),
            created: id)
    }
}
