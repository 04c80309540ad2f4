import Contracts
import FoundationEssentials
import JobModel
import Kinds
import Testing

@testable import Providers

/// What each status that the references name means for each kind.
@Suite struct AnswerTests {
    static let kinds = [
        "iron.customer.create", "iron.identification.create", "connect.individual.create", "axisfi.customer.create",
        "juicyway.customer.create",
    ]

    private func read(_ kind: String, _ answer: Answer) throws -> CallResult {
        let context = try Sample.context(kind, parameters: #"{"customer_id": "c"}"#)
        return CreationReader.read(answer, for: context)
    }

    @Test(arguments: [
        ("iron.customer.create", 201, #"{"id": "i-1", "status": "UserRequired"}"#, "i-1", "UserRequired"),
        ("iron.identification.create", 201, #"{"id": "i-2", "customer_id": "c", "status": "NewOne"}"#, "i-2", "NewOne"),
        ("connect.individual.create", 201, #"{"traceId": "t", "message": "m", "data": {"id": "i-3"}}"#, "i-3", nil),
        ("axisfi.customer.create", 200, #"{"customer_id": "cus_1", "status": "Processing"}"#, "cus_1", "Processing"),
        ("axisfi.customer.create", 201, #"{"customer_id": "cus_2"}"#, "cus_2", nil),
        ("juicyway.customer.create", 201, #"{"data": {"id": "i-4", "status": "pending_kyc"}}"#, "i-4", "pending_kyc"),
        ("juicyway.customer.create", 201, #"{"data": {"id": "i-5"}}"#, "i-5", nil),
    ])
    func `a success needs only the id`(kind: String, status: Int, body: String, id: String, state: String?) throws {
        let result = try read(kind, Sample.answer(status, body))
        #expect(result.outcome == .succeeded)
        #expect(result.providerID == id)
        #expect(result.providerStatus == state)
    }

    @Test(
        arguments: kinds,
        ["", "{}", "<html>", #"{"id": []}"#, #"{"id": ""}"#, #"{"data": {"status": "x"}}"#, #"{"data": {"id": "x-1""#])
    func `a success that cannot be read is ambiguous`(kind: String, body: String) throws {
        let result = try read(kind, Sample.answer(201, body))
        #expect(result.outcome == .ambiguous)
        #expect(result.mayHaveReached)
        #expect(result.isUnreadable)
    }

    @Test(arguments: kinds, [400, 404, 405, 413, 415, 422])
    func `a definite refusal is one, and proves that nothing was created`(kind: String, status: Int) throws {
        let result = try read(kind, Sample.answer(status, "\"bad request\""))
        #expect(result.outcome == .rejected)
        #expect(!result.mayHaveReached)
    }

    @Test(arguments: kinds, [401, 403])
    func `refused credentials are told apart`(kind: String, status: Int) throws {
        let result = try read(kind, Sample.answer(status, "authorization error"))
        #expect(result.outcome == .unauthorized)
        #expect(!result.mayHaveReached)
    }

    @Test(arguments: kinds)
    func `a throttle is one with and without a time, and 503 proves nothing`(kind: String) throws {
        let tooMany = try read(kind, Sample.answer(429))
        #expect(tooMany.outcome == .throttled)
        #expect(!tooMany.mayHaveReached)
        let busy = try read(kind, Sample.answer(503, headers: ["retry-after": "5"]))
        #expect(busy.outcome == (kind.hasPrefix("connect") ? .ambiguous : .throttled))
        #expect(busy.mayHaveReached)
    }

    @Test(arguments: kinds, [408, 500, 502, 503, 504, 599])
    func `a failed server leaves it open, and only Connect cannot be asked again`(kind: String, status: Int) throws {
        let result = try read(kind, Sample.answer(status, #"{"message": "x", "trace_id": "y"}"#))
        #expect(result.outcome == (kind.hasPrefix("connect") ? .ambiguous : .unavailable))
        #expect(result.mayHaveReached)
    }

    @Test(arguments: kinds, [100, 300, 302, 307, 409, 418, 451])
    func `a conflict and what nobody documents are ambiguous`(kind: String, status: Int) throws {
        #expect(try read(kind, Sample.answer(status)).outcome == .ambiguous)
    }
}

@Suite struct DefinitionTests {
    @Test func `only Iron is told the sub-partner, and only kinds with a key carry it`() {
        for definition in Registry.shipped.kinds {
            let isIron = definition.provider.value == "iron"
            #expect(definition.parameterHeaders == (isIron ? ["sub_partner_id": "X-SUB-PARTNER-ID"] : [:]))
            let keyed = definition.key.map { RecoveryPolicy.Resend.underSameKey(life: $0.life) }
            let isAsked = definition.provider.value == "axisfi"
            #expect(definition.policy.resend == keyed ?? (isAsked ? .afterLookUp : .never))
        }
    }
}

@Suite struct LookUpTests {
    private func read(_ kind: String, _ answer: Answer, parameters: String = "{}") throws -> CallResult {
        let definition = Sample.definition(kind)
        let context = try Sample.context(kind, parameters: parameters)
        return try #require(definition.lookUp).read(answer, answer.json, for: context)
    }

    private func path(_ kind: String, payload: String? = nil, parameters: String = "{}") -> String? {
        try? Sample.context(kind, payload: payload, parameters: parameters).lookUpPath
    }

    @Test func `look-ups ask for the job's own record, safely encoded`() {
        #expect(path("iron.customer.create") == "/customers/user%204%2F2/external")
        #expect(path("iron.customer.create", payload: "{}") == nil)
        #expect(path("iron.customer.create", payload: #"{"external_id": ".."}"#) == nil)
        #expect(
            path("iron.identification.create", parameters: #"{"customer_id": "c-1"}"#)
                == "/customers/c-1/identifications?page_size=100")
        #expect(path("axisfi.customer.create") == "/api/customers/detail?partner_customer_id=partner-0000000000001")
        #expect(path("juicyway.customer.create") == "/customers?email=ada%2B1%40example.com")
        #expect(Sample.definition("connect.individual.create").lookUp == nil)
    }

    @Test(arguments: [
        ("iron.customer.create", #"{"id": "i-1", "external_id": "user 4/2", "status": "Active"}"#, "i-1"),
        ("iron.customer.create", #"{"id": "i-1", "status": "Active"}"#, "i-1"),
        (
            "iron.identification.create",
            #"{"items": [{"id": "a-1", "status": "Declined"}, {"id": "b-1", "status": "Pending"}]}"#, "b-1"
        ),
        (
            "iron.identification.create",
            #"{"items": [{"id": "a-1", "status": "Expired"}, {"id": "b-1", "status": "Archived"}]}"#, nil
        ),
        (
            "iron.identification.create", #"{"items": [{"id": "a-1", "status": "Pending", "customer_id": "other"}]}"#,
            nil
        ),
        ("iron.identification.create", #"{"items": []}"#, nil),
        (
            "axisfi.customer.create", #"{"customer_id": "cus_1", "partner_customer_id": "partner-0000000000001"}"#,
            "cus_1"
        ),
        ("axisfi.customer.create", #"{"data": {"customer_id": "cus_1"}}"#, "cus_1"),
        ("juicyway.customer.create", #"{"data": [{"id": "j-1", "email": "ADA+1@example.com"}]}"#, "j-1"),
        ("juicyway.customer.create", #"{"data": []}"#, nil), ("juicyway.customer.create", #"{"data": null}"#, nil),
        ("axisfi.customer.create", #"{"data": null}"#, nil), ("axisfi.customer.create", #"{"data": {}}"#, nil),
        ("axisfi.customer.create", #"{"data": []}"#, nil), ("axisfi.customer.create", "null", nil),
        ("axisfi.customer.create", #"{"code": 0, "data": null}"#, nil),
        ("axisfi.customer.create", #"{"success": false, "code": "CUSTOMER_NOT_FOUND"}"#, nil),
        ("axisfi.customer.create", #"{"code": 404, "message": "not found", "data": null}"#, nil),
        ("axisfi.customer.create", #"{"code": 404, "data": null}"#, nil),
        ("axisfi.customer.create", #"{"error": {"code": "not_found", "message": "Customer not found."}}"#, nil),
        ("axisfi.customer.create", #"{"status": "success", "message": "OK", "errors": [], "data": null}"#, nil),
        ("axisfi.customer.create", #"{"errcode": 0, "errmsg": "ok", "error": false, "data": {}}"#, nil),
        ("axisfi.customer.create", #"{"msg": "customer partner-0000000000001 does not exist"}"#, nil),
        ("juicyway.customer.create", #"{"data": [], "pagination": {"after": null, "limit": 15}}"#, nil),
        ("iron.identification.create", #"{"items": [], "cursor": null, "error": null}"#, nil),
        ("iron.customer.create", "null", nil),
    ])
    func `only the job's own record is adopted`(kind: String, body: String, id: String?) throws {
        let result = try read(kind, Sample.answer(200, body), parameters: #"{"customer_id": "c-1"}"#)
        #expect(result.outcome == (id == nil ? .notFound : .adopted))
        #expect(result.providerID == id)
        #expect(!result.mayHaveReached)
    }

    @Test(arguments: [
        ("iron.customer.create", "{}"), ("iron.customer.create", "[]"), ("iron.customer.create", "<html>"),
        ("iron.customer.create", #"{"id": ""}"#),
        ("iron.customer.create", #"{"id": "i-1", "external_id": "somebody else"}"#),
        ("iron.identification.create", "{}"), ("iron.identification.create", #"{"items": {}}"#),
        ("iron.identification.create", #"{"items": [], "cursor": "more"}"#),
        ("axisfi.customer.create", #"{"code": 500, "data": null}"#),
        ("axisfi.customer.create", #"{"success": false, "data": null}"#),
        ("axisfi.customer.create", #"{"error": "timeout", "data": {}}"#),
        ("juicyway.customer.create", #"{"data": [{"id": "j-1"}]}"#),
        ("juicyway.customer.create", #"{"data": [], "error": {"code": "internal_error", "message": "x"}}"#),
        ("juicyway.customer.create", #"{"data": [], "success": false}"#),
        ("iron.identification.create", #"{"items": [], "errors": ["timeout"]}"#),
        ("iron.identification.create", #"{"items": [{"id": "a-1", "status": "Expired"}], "status": 500}"#),
        ("iron.customer.create", #"{"message": "not found in cache", "trace_id": "t"}"#),
        ("axisfi.customer.create", "{}"), ("axisfi.customer.create", #"{"code": 0, "msg": "ok"}"#),
        ("axisfi.customer.create", #"{"customer_id": "cus_1", "partner_customer_id": "another-one-00000000001"}"#),
        ("juicyway.customer.create", "{}"), ("juicyway.customer.create", #"{"error": {"code": "x"}}"#),
        ("juicyway.customer.create", #"{"data": [{"id": "j-1", "email": "other@example.com"}]}"#),
    ])
    func `what cannot be read does not prove that there is no record`(kind: String, body: String) throws {
        let result = try read(kind, Sample.answer(200, body), parameters: #"{"customer_id": "c-1"}"#)
        #expect(result.outcome == .unavailable)
        #expect(result.isUnreadable)
        #expect(result.providerID == nil)
    }

    @Test func `of several identifications the newest that a request of this job may have made is adopted`() throws {
        let item = { (id: String, status: String, created: String) in
            #"{"id": "\#(id)", "status": "\#(status)", "created_at": "\#(created)"}"#
        }
        let list =
            #"{"items": [\#(item("old-1", "Approved", "2026-01-01T00:00:00Z")), "#
            + #"\#(item("a-1", "Pending", "2026-06-01T10:00:00.123Z")), \#(item("b-1", "Pending", "2026-06-01T10:00:05Z"))]}"#
        let lookUp = try #require(Sample.definition("iron.identification.create").lookUp)
        func find(_ body: String, age: Int, status: Int? = nil) throws -> FoundRecord? {
            var claim = Sample.claim("iron.identification.create", parameters: #"{"customer_id": "c-1"}"#)
            claim.firstSentAge = .seconds(age)
            claim.lastCreateStatus = status
            let now = try Date("2026-06-01T10:01:00Z", strategy: .iso8601)
            let context = try Sample.context(claim, now: now)
            let finding = Finding(lookUp, in: try JSONValue(parsing: Array(body.utf8)), for: context)
            if case .found(let record, _) = finding { return record }
            #expect(finding == .absent)
            return nil
        }
        #expect(try find(list, age: 60) == FoundRecord(id: "b-1", status: "Pending"))
        let old = #"{"items": [\#(item("old-1", "Approved", "2026-01-01T00:00:00Z"))]}"#
        #expect(try find(old, age: 60) == nil)
        #expect(try find(old, age: 60, status: 409) == nil)
        let open = #"{"items": [\#(item("old-1", "Pending", "2026-01-01T00:00:00Z"))]}"#
        #expect(try find(open, age: 60) == nil)
        #expect(try find(open, age: 60, status: 409) == FoundRecord(id: "old-1", status: "Pending"))
    }

    private static let vague: [(status: Int, body: String)] = [
        (404, "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1><hr>nginx</body></html>"),
        (404, "default backend - 404"), (404, "404 page not found"), (404, "not found"), (404, ""), (404, "{}"),
        (404, "null"), (404, "[]"), (404, #"{"message": "no Route matched with those values"}"#),
        (404, #"{"statusCode": 404, "message": "Resource not found"}"#), (404, #"{"detail": "Not Found"}"#),
        (404, #"{"timestamp": 1, "status": 404, "error": "Not Found", "path": "/api/customers/detail"}"#),
        (404, #"{"statusCode": 404, "message": "Cannot GET /x", "error": "Not Found"}"#),
        (404, #"{"errors": {"detail": "Not Found"}}"#), (404, #"{"status": 404, "error": "Not Found"}"#),
        (404, #"{"error": {"code": 404, "message": "Method not found.", "status": "NOT_FOUND"}}"#),
        (404, #"{"error_msg": "404 Route Not Found"}"#), (404, #"{"code": "tenant_not_found"}"#),
        (200, #"{"code": "route_not_found", "message": "x"}"#),
        (200, #"{"code": "api_key_not_found", "message": "x"}"#),
        (200, #"{"code": "api_key_not_found", "data": null}"#), (200, #"{"code": "404", "message": "upstream"}"#),
        (200, #"{"status": "error", "message": "internal", "data": {}}"#), (200, #"{"status": "error", "data": {}}"#),
        (200, #"{"success": "false", "data": null}"#), (200, #"{"success": 0, "data": null}"#),
        (200, #"{"errors": [{"message": "upstream timeout"}], "data": null}"#),
        (200, #"{"errorCode": "E500", "data": null}"#), (200, #"{"ret": -1, "data": {}}"#),
        (200, #"{"status": 500, "data": null}"#), (200, #"{"code": 0, "data": null, "message": "system busy"}"#),
        (200, #"{"error": "customer service not found", "data": null}"#), (200, #"{"isError": true, "data": null}"#),
    ]

    @Test(arguments: vague.indices, ["iron.customer.create", "axisfi.customer.create", "juicyway.customer.create"])
    func `what a gateway says, or an error in a 200, is no absence`(index: Int, kind: String) throws {
        let (status, body) = Self.vague[index]
        let result = try read(kind, Sample.answer(status, body))
        #expect(result.outcome == .unavailable)
        #expect(result.isUnreadable)
    }

    @Test(
        arguments: [
            #""not found""#, #"{"message": "customer not found"}"#, #"{"message": "not found"}"#,
            #"{"error": {"code": "not_found", "message": "Customer not found", "type": "invalid_request_error"}}"#,
            #"{"traceId": "t", "message": "Customer was not found"}"#, #"{"code": "CUSTOMER_NOT_FOUND"}"#,
            #"{"code": 404, "message": "customer not found", "data": null}"#, #"{"data": null}"#,
            #"{"error": "No customer with this id"}"#,
        ],
        [
            "iron.customer.create", "iron.identification.create", "axisfi.customer.create", "juicyway.customer.create",
        ])
    func `a 404 that tells of the record is absence`(body: String, kind: String) throws {
        let body = kind.contains("identification") ? body.replacing("\"data\"", with: "\"items\"") : body
        #expect(try read(kind, Sample.answer(404, body)).outcome == .notFound)
    }

    @Test(arguments: [
        (400, Outcome.rejected), (401, .unauthorized), (403, .unauthorized), (429, .throttled),
        (500, .unavailable), (503, .unavailable), (302, .unavailable), (204, .unavailable), (404, .unavailable),
    ])
    func `only a clear answer counts`(status: Int, outcome: Outcome) throws {
        #expect(try read("axisfi.customer.create", Sample.answer(status)).outcome == outcome)
        #expect(try read("axisfi.customer.create", Sample.answer(200, "<html>")).outcome == .unavailable)
    }
}
