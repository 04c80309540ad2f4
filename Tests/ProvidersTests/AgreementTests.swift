import Contracts
import JobModel
import Kinds
import Testing

@testable import Providers

/// Whose record an answer is about.
@Suite struct AgreementTests {
    private func create(_ kind: String, _ body: String, payload: String? = nil) throws -> CallResult {
        let claim = Sample.claim(kind, payload: payload, parameters: #"{"customer_id": "c-1"}"#)
        return CreationReader.read(Sample.answer(201, body), for: try Sample.context(claim))
    }

    private func lookUp(
        _ kind: String, _ body: String, payload: String? = nil, _ change: (inout Claim) -> Void = { _ in }
    ) throws -> CallResult {
        var claim = Sample.claim(kind, payload: payload, parameters: #"{"customer_id": "c-1"}"#)
        change(&claim)
        let answer = Sample.answer(200, body)
        let lookUp = try #require(Sample.definition(kind).lookUp)
        return lookUp.read(answer, answer.json, for: try Sample.context(claim))
    }

    @Test(arguments: [
        ("iron.customer.create", #"{"id": "x-1", "email": "eve@example.com"}"#, "email"),
        ("iron.customer.create", #"{"id": "x-1", "external_id": "user 5"}"#, "external_id"),
        ("iron.customer.create", #"{"id": "x-1", "customer_type": "Business"}"#, "customer_type"),
        ("iron.identification.create", #"{"id": "x-1", "customer_id": "c-2"}"#, "customer_id"),
        (
            "axisfi.customer.create", #"{"customer_id": "x-1", "partner_customer_id": "partner-2"}"#,
            "partner_customer_id"
        ),
        (
            "axisfi.customer.create", #"{"data": {"customer_id": "x-1", "partner_customer_id": "p"}}"#,
            "partner_customer_id"
        ),
        ("juicyway.customer.create", #"{"data": {"id": "x-1", "email": "eve@example.com"}}"#, "email"),
        ("juicyway.customer.create", #"{"data": {"id": "x-1", "type": "business"}}"#, "type"),
        ("iron.customer.create", #"{"id": "x-1", "external_id": "User 4/2"}"#, "external_id"),
        (
            "axisfi.customer.create", #"{"customer_id": "x-1", "partner_customer_id": "Partner-0000000000001"}"#,
            "partner_customer_id"
        ),
        ("iron.customer.create", #"{"id": "x-1", "email": "*eve@example.com"}"#, "email"),
    ])
    func `an answer that repeats what was not sent is another's`(kind: String, body: String, field: String) throws {
        let result = try create(kind, body)
        #expect(result.outcome == .ambiguous)
        #expect(result.mayHaveReached)
        #expect(result.providerID == nil)
        #expect(result.error == "the answer repeats another \(field)")
    }

    @Test(arguments: [
        ("iron.customer.create", #"{"id": "x-1", "email": " ADA@Example.com ", "external_id": null, "name": "Eve"}"#),
        ("iron.customer.create", #"{"id": "x-1", "email": "", "customer_type": "PERSON"}"#),
        ("iron.customer.create", #"{"id": "x-1", "email": "a**@example.com"}"#),
        ("iron.identification.create", #"{"id": "x-1", "customer_id": "c-1"}"#),
        ("juicyway.customer.create", #"{"data": {"id": "x-1", "email": "Ada+1@example.com", "type": "Individual"}}"#),
    ])
    func `spelling, masks and gaps are no contradiction`(kind: String, body: String) throws {
        #expect(try create(kind, body).outcome == .succeeded)
    }

    private static let customer = #"""
        {"first_name": "José", "last_name": "O'Neill  Smith", "email": "ada+1@example.com", "phone": "+49 170 1234567",
         "type": "individual", "born": "1990-01-02", "tax": "01234567", "amount": 99.90, "ref_id": "U-1",
         "people": [{"name": "Ann", "roles": ["a", "b"]}, {"name": "Bob", "roles": ["c"]}],
         "billing_address": {"line1": "1", "city": "Köln", "state": "s", "zip_code": "z", "country": "NG"}, "tags": ["a", "b"]}
        """#

    @Test(arguments: [
        (#""first_name": "Ada""#, "first_name"), (#""billing_address": {"city": "Bonn"}"#, "billing_address.city"),
        (#""phone": "+49 170 1234568""#, "phone"), (#""phone_number": "+49 170 1234568""#, "phone"),
        (#""tax": "1234567""#, "tax"), (#""tax": "001234568""#, "tax"), (#""born": "1990-01-03T00:00:00Z""#, "born"),
        (#""amount": 99.91"#, "amount"), (#""tags": ["a", "c"]"#, "tags"),
        (#""type": "business", "last_name": "X""#, "last_name, type"), (#""tags": []"#, "tags"),
        (#""tags": ["a"]"#, "tags"), (#""tags": ["a", "a"]"#, "tags"), (#""tags": {"0": "a", "1": "b"}"#, "tags"),
        (#""tags": "a,b""#, "tags"), (#""billing_address": "1, Köln""#, "billing_address"),
        (#""billing_address": []"#, "billing_address"), (#""first_name": ["José"]"#, "first_name"),
        (#""first_name": {"x": 1}"#, "first_name"), (#""first_name": "*Ada*""#, "first_name"),
        (#""first_name": "A***""#, "first_name"), (#""last_name": "O'*""#, "last_name"),
        (#""born": "1990-01-02 Ventures""#, "born"), (#""born": "1990-01-02T""#, "born"),
        (#""ref_id": "u-1""#, "ref_id"),
        (#""people": [{"name": "Ann", "roles": ["a", "b"]}, {"name": "Ann", "roles": ["a", "b"]}]"#, "people"),
        (#""people": [{"name": "Bob", "roles": ["c"]}, {"name": "Ann", "roles": ["a", "c"]}]"#, "people"),
    ])
    func `a found record that contradicts the payload needs a person`(members: String, fields: String) throws {
        let body = #"{"data": [{"id": "j-1", "email": "ada+1@example.com", \#(members)}]}"#
        let result = try lookUp("juicyway.customer.create", body, payload: Self.customer)
        #expect(result.outcome == .ambiguous)
        #expect(!result.mayHaveReached)
        #expect(result.providerID == nil)
        #expect(result.error == "a record was found that contradicts the payload in: \(fields)")
    }

    @Test(arguments: [
        #""first_name": "JOSE\u0301", "last_name": " o'neill smith ""#, #""phone": "0049-170-1234567""#,
        #""phone": "01701234567""#, #""born": "1990-01-02T00:00:00Z", "amount": "99.9""#, #""tags": ["b", "a"]"#,
        #""tags": null, "billing_address": null, "first_name": """#,
        #""first_name": "J***", "last_name": "**********""#,
        #""last_name": "O***th", "first_name": "J**\u00e9""#, #""born": "1990-01-02 00:00:00", "ref_id": null"#,
        #""people": [{"name": "BOB", "roles": ["c"]}, {"name": "Ann", "x": 1}]"#,
        #""billing_address": {"city": "k\u00f6ln", "x": 1}"#,
        #""first_name": "Jos\ud800""#,
    ])
    func `a found record that is spelt otherwise is adopted`(members: String) throws {
        let body = #"{"data": [{"id": "j-1", "email": "ADA+1@example.com", \#(members)}]}"#
        #expect(try lookUp("juicyway.customer.create", body, payload: Self.customer).outcome == .adopted)
    }

    @Test func `long texts have one spelling`() {
        let text = String(repeating: "a", count: 600)
        #expect(Agreement.agree(text, text) == true)
        #expect(Agreement.agree(text.dropLast() + "b", text) == false)
        #expect(Agreement.agree("***", text) == nil)
        #expect(Agreement.agree(text.uppercased(), text) == false)
    }

    @Test func `an id has one spelling, but for the digits of a UUID`() {
        #expect(Agreement.agree("User-1", "user-1", isID: true) == false)
        #expect(Agreement.agree("User-1", "user-1") == true)
        let uuid = "7da75a46-79fb-361a-0507-4629bf1ecf0d"
        #expect(Agreement.agree(uuid.uppercased(), uuid, isID: true) == true)
    }

    @Test func `moments are compared across zones`() {
        #expect(Agreement.agree("2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00") == true)
        #expect(Agreement.agree("2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z") == false)
    }

    @Test(arguments: [
        ("iron.customer.create", #"{"id": "x-1"}"#, Outcome.notFound),
        ("iron.customer.create", #"{"id": "x-1", "email": "ada@example.com"}"#, .adopted),
        ("axisfi.customer.create", #"{"customer_id": "x-1"}"#, .notFound),
        (
            "axisfi.customer.create", #"{"customer_id": "x-1", "partner_customer_id": "partner-0000000000001"}"#,
            .adopted
        ),
        ("iron.identification.create", #"{"items": [{"id": "x-1", "status": "Pending"}]}"#, .adopted),
    ])
    func `after a conflict that no earlier attempt explains, the match must show`(
        kind: String, body: String, outcome: Outcome
    ) throws {
        let result = try lookUp(kind, body) {
            $0.lastCreateStatus = 409
            $0.attempt = 1
        }
        #expect(result.outcome == outcome)
        let own = try lookUp(kind, body) {
            $0.lastCreateStatus = 409
            $0.attempt = 2
        }
        #expect(own.outcome == .adopted)
    }
}

/// What the digest of a request covers.
@Suite struct RequestDigestTests {
    private func digest(
        _ kind: String = "iron.identification.create", _ payload: String? = nil, _ parameters: String
    ) -> [UInt8]? {
        Sample.definition(kind).requestDigest(of: Sample.claim(kind, payload: payload, parameters: parameters))
    }

    @Test func `path, headers and body count; spelling of parameters does not`() {
        let first = digest("iron.identification.create", nil, #"{"customer_id": "c-1", "sub_partner_id": "s"}"#)
        #expect(first?.count == 32)
        let same = digest("iron.identification.create", nil, #"{ "sub_partner_id":"s","customer_id":"c-1", "x": 1 }"#)
        #expect(first == same)
        for parameters in [
            #"{"customer_id": "c-2", "sub_partner_id": "s"}"#, #"{"customer_id": "c-1", "sub_partner_id": "t"}"#,
            #"{"customer_id": "c-1"}"#,
        ] { #expect(digest("iron.identification.create", nil, parameters) != first) }
        #expect(
            digest(
                "iron.identification.create", #"{"type":  "Direct"}"#, #"{"customer_id": "c-1", "sub_partner_id": "s"}"#
            )
                != first)
        #expect(digest("iron.identification.create", nil, "{}") == nil)
    }

    @Test func `a request that is not the one first sent is not sent`() async throws {
        try await withPeer { _ in
            [.answer(201, #"{"id": "i-1"}"#)]
        } _: { peer, caller in
            let kind = "iron.identification.create"
            var claim = Sample.claim(kind, parameters: #"{"customer_id": "c-1"}"#)
            let first = await caller.call(.create, for: claim, as: Sample.definition(kind)) { true }
            #expect(first.outcome == .succeeded)
            #expect(first.requestSHA256 == Sample.definition(kind).requestDigest(of: claim))
            claim.requestSHA256 = first.requestSHA256
            claim.firstSentAge = .seconds(1)
            #expect(
                await caller.call(.create, for: claim, as: Sample.definition(kind)) { true }.outcome == .succeeded
            )
            claim.parameters = Array(#"{"customer_id": "c-2"}"#.utf8)
            let second = await caller.call(.create, for: claim, as: Sample.definition(kind)) { true }
            #expect(second.outcome == .invalidPayload)
            #expect(!second.mayHaveReached)
            #expect(peer.seen.requests == 2)
        }
    }
}
