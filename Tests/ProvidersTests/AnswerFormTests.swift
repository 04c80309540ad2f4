import Contracts
import Foundation
import JobModel
import Kinds
import NIOCore
import Simulator
import Testing

@testable import Providers

/// Answers in forms that cost no id, and in forms that nobody can read.
@Suite(.timeLimit(.minutes(5))) struct AnswerFormTests {
    private static let id = "7da75a46-79fb-361a-0507-4629bf1ecf0d"
    private static let plain = #"{"id": "\#(id)", "email": "ada@example.com", "status": "Active"}"#

    /// What gzip makes of `{"id": "7da75a46-79fb-361a-0507-4629bf1ecf0d"}`.
    private static let gzipped =
        "H4sIAAAAAAAC/6tWykxRslJQMk9JNDdNNDHTNbdMS9I1NjNM1DUwNTDXNTEzskxKM0xNTjNIUaoFADBGFxEuAAAA"

    private static func compressed(_ base64: String) -> [UInt8] { Array(Data(base64Encoded: base64) ?? Data()) }

    private func create(
        _ caller: HTTPProviderCaller, _ kind: String = "iron.customer.create"
    ) async -> CallResult {
        await caller.call(.create, for: Sample.claim(kind), as: Sample.definition(kind)) { true }
    }

    @Test(arguments: ["gzip", "GZIP", "x-gzip", "deflate", "", "compress", "gzip, identity"])
    func `a coded answer is decoded, whatever its coding is called`(name: String) async throws {
        let bytes = Self.compressed(Self.gzipped)
        try await withPeer { request in
            #expect(request.head.lowercased().contains("accept-encoding: gzip\r\n"))
            return [.answer(201, bytes, "content-encoding: \(name)\r\n")]
        } _: { _, caller in
            for _ in 0..<3 { #expect(await create(caller).providerID == Self.id) }
        }
    }

    private static let codings: [(name: String, base64: String)] = [
        ("deflate", "q1bKTFGyUlAyT0k0N000MdM1t0xL0jU2M0zUNTA1MNc1MTOyTEozTE1OM0hRqgUA"),
        ("x-deflate", "eJyrVspMUbJSUDJPSTQ3TTQx0zW3TEvSNTYzTNQ1MDUw1zUxM7JMSjNMTU4zSFGqBQAWWgwe"),
        // Two members (RFC 1952, section 2.2).
        (
            "gzip",
            "H4sIAAAAAAACA6tWykxRslJQMk9JNDdNNDHTNbdMAwB7qIfmFAAAAB+LCAAAAAAAAgNL0jU2M0zUNTA1MNc1MTOyTEozTE1OM0hR"
                + "qgUA6XHr+xoAAAA="
        ),
        (
            "gzip, gzip",
            "H4sIAAAAAAACA5Pv5mAAASbm1WGnfAI3BQUY+XuamPuaGF423e7jfcnUzNjniqmBqcF1U0PjTT5exj6+fsYegatYGQzcxAX1gDoBolfy"
                + "oEIAAAA="
        ),
        // NULs after the end; no check sum at the end.
        ("gzip", "H4sIAAAAAAACA6tWykxRslJQMk9JNDdNNDHTNbdMS9I1NjNM1DUwNTDXNTEzskxKM0xNTjNIUaoFADBGFxEuAAAAAAAAAA=="),
        ("gzip", "H4sIAAAAAAACA6tWykxRslJQMk9JNDdNNDHTNbdMS9I1NjNM1DUwNTDXNTEzskxKM0xNTjNIUaoFAA=="),
    ]

    @Test(arguments: codings.indices) func `codings in the forms in which they come are decoded`(index: Int) throws {
        let (name, base64) = Self.codings[index]
        let body = try #require(ContentCoding.decode(Self.compressed(base64), name: name, limit: 1000))
        #expect(String(decoding: body, as: UTF8.self) == #"{"id": "\#(Self.id)"}"#)
    }

    @Test func `what is broken or followed by something else is not decoded`() {
        let body = Self.compressed(Self.gzipped)
        #expect(ContentCoding.decode(body, name: "gzip", limit: 46)?.count == 46)
        #expect(ContentCoding.decode(body, name: "gzip", limit: 45) == nil)
        #expect(ContentCoding.decode(body + [1], name: "gzip", limit: 1000) == nil)
        var wrong = body
        wrong[wrong.count - 6] ^= 1
        #expect(ContentCoding.decode(wrong, name: "gzip", limit: 1000) == nil)
        #expect(ContentCoding.decode(Array("{}".utf8), name: "gzip", limit: 1) == Array("{}".utf8))
        #expect(ContentCoding.decode([], name: nil, limit: 1) == [])
    }

    @Test func `what is called coded and is not is read as it is`() async throws {
        try await withPeer { request in
            [.answer(201, Self.plain, "content-encoding: \(request.number % 2 == 0 ? "gzip" : "deflate")\r\n")]
        } _: { _, caller in
            for _ in 0..<2 { #expect(await create(caller).providerID == Self.id) }
        }
    }

    private static let unreadable: [(coding: String, body: [UInt8])] = [
        ("br", [0x8B, 3, 0x80, 1, 2, 3]), ("zstd", [0x28, 0xB5, 0x2F, 0xFD, 0]),
        ("gzip", Array(compressed(gzipped).prefix(40))),
        ("gzip", Array(compressed(gzipped).prefix(12)) + [9, 9, 9, 9]),
    ]

    @Test(arguments: unreadable.indices) func `an answer that cannot be decoded is ambiguous`(index: Int) async throws {
        let (coding, body) = Self.unreadable[index]
        try await withPeer { _ in
            [.answer(201, body, "content-encoding: \(coding)\r\n")]
        } _: { _, caller in
            for kind in ["iron.customer.create", "connect.individual.create"] {
                let created = await create(caller, kind)
                #expect(created.outcome == .ambiguous)
                #expect(created.isUnreadable)
                #expect(created.mayHaveReached)
                #expect(created.httpStatus == 201)
            }
        }
        try await withPeer { _ in
            [.answer(200, body, "content-encoding: \(coding)\r\n")]
        } _: { _, caller in
            let found = await caller.call(
                .lookUp, for: Sample.claim("axisfi.customer.create"),
                as: Sample.definition("axisfi.customer.create")
            ) { true }
            #expect(found.outcome == .unavailable)
            #expect(found.isUnreadable)
        }
        try await withPeer { _ in
            [.answer(401, body, "content-encoding: \(coding)\r\n")]
        } _: { _, caller in
            #expect(await create(caller).outcome == .unauthorized, "a status counts without its body")
        }
    }

    @Test func `a small answer that unfolds into a large one is not taken`() async throws {
        let zeros = Self.compressed(
            "H4sIAAAAAAAC/+3HsQnAIAAEwF2+TpHCRHAbwcYNBMnucZC77nbmSEsdvT69vLmyTm8AAAAAAAAAAAAAAAAAAAA48v2WE8C5mD4AAA==")
        try await withPeer { _ in
            [.answer(201, zeros, "content-encoding: gzip\r\n")]
        } _: { peer, _ in
            let caller = HTTPProviderCaller(
                endpoints: endpoints(peer.base), configuration: .init(answerLimit: 1000))
            let result = await create(caller)
            #expect(result.outcome == .ambiguous)
            #expect(result.isUnreadable)
            await caller.shutdown()
        }
    }

    private static let texts: [(type: String, body: [UInt8])] = [
        ("application/json", [0xEF, 0xBB, 0xBF] + Array(plain.utf8)),
        (
            "application/json; charset=utf-16",
            [0xFF, 0xFE] + plain.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        ),
        ("application/json", [0xFE, 0xFF] + plain.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }),
        ("application/json; charset=utf-16le", plain.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }),
        ("application/json", Array(plain.utf8) + [0, 0, 0]),
        ("application/json", Array(#"{"name": "Jos"#.utf8) + [0xE9] + Array(#"", "id": "\#(id)"}"#.utf8)),
        (
            "application/json; charset=ISO-8859-1",
            Array(#"{"name": "Jos"#.utf8) + [0xE9] + Array(#"", "id": "\#(id)"}"#.utf8)
        ),
        ("application/json", Array("{\"name\": \"a\u{1}\tb\", \"id\": \"\(id)\"}".utf8)),
        ("application/json", Array(#"{"name": "\ud83d x", "id": "\#(id)", "id": "\#(id)"}"#.utf8)),
        ("application/json", Array(#"{"balance": 1e99999, "id": "\#(id)"}"#.utf8)),
        ("text/plain", Array("\r\n \(plain)\n".utf8)),
    ]

    @Test(arguments: texts.indices) func `a byte out of place does not cost the id`(index: Int) throws {
        let (type, body) = Self.texts[index]
        let answer = Answer(status: 201, headers: ["content-type": type], body: body)
        let context = try Sample.context("iron.customer.create")
        let result = CreationReader.read(answer, for: context)
        #expect(result.outcome == .succeeded)
        #expect(result.providerID == Self.id)
    }

    @Test func `ISO 8859-1 is read as what it is where it says so`() {
        let body = Array(#"{"name": "Jos"#.utf8) + [0xE9] + Array(#""}"#.utf8)
        let named = Answer(status: 200, headers: ["content-type": "text/json; charset=iso-8859-1"], body: body)
        #expect(named.json?["name"]?.string == "José")
        #expect(Answer(status: 200, headers: [:], body: body).json?["name"]?.string == "Jos\u{FFFD}")
    }

    @Test func `payloads stay strict`() {
        for body in ["{\"a\": \"\u{1}\"}", #"{"a": "\ud83d"}"#] {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(body.utf8)) }
        }
    }

    private static let noIDs = [
        #""\u0000""#, #""cus_1\u00002""#, #""a\nb""#, #"" ""#, #""""#, #""a b""#, #""é""#, "null", "true", "{}",
        #"["a"]"#,
        "-1", "1.5", "1e400", "0", #""null""#, #""undefined""#, #""00000000-0000-0000-0000-000000000000""#,
        "\"\(String(repeating: "x", count: 256))\"", #""a", "id": "b""#,
        #""N/A""#, #""-""#, #""--""#, #""unknown""#, #""(null)""#, #""<null>""#, #""false""#, #""true""#, #""pending""#,
        #""error""#, #""0000""#, #""00000000000000000000000000000000""#, "0000", #""-1""#, #"".""#, #""{}""#, #""[]""#,
        #""\"\"""#, #""string""#, #""id""#, #""\"null\"""#, #""%00""#, #""\\u0000""#, #""none.""#, #""0x0""#,
        #""TEST""#,
        #""IdentificationRequired""#, #""ffffffff-ffff-ffff-ffff-ffffffffffff""#, #""ada1@example.com""#, #""a/1""#,
        #""8D3F0D36-3a2c-4f0e-9a4f-0d8f5b1c7a11""#, #""user-4.2""#, #""c-1""#,
    ]

    @Test(arguments: noIDs) func `what cannot be an id is none, and nothing is left out of one`(text: String) throws {
        for (kind, body) in [
            ("iron.customer.create", #"{"id": \#(text)}"#),
            ("connect.individual.create", #"{"data": {"id": \#(text)}}"#),
        ] {
            let claim = Sample.claim(kind, payload: #"{"name": "User-4.2"}"#, parameters: #"{"customer_id": "c-1"}"#)
            let context = try Sample.context(claim)
            let result = CreationReader.read(Sample.answer(201, body), for: context)
            #expect(result.outcome == .ambiguous)
            #expect(result.isUnreadable)
            #expect(result.providerID == nil)
        }
    }

    @Test(arguments: [
        "7da75a46-79fb-361a-0507-4629bf1ecf0d", "cus_79fb361a05074629bf1ecf0d14cd244e", "record-1", "c-2", "ID-0", "7",
        "00000000-0000-0000-0000-000000000001", "V1StGXR8_Z5jdHi6B-myT", "customer:1", "abcdefghijklmnopqrstuvwxyz",
    ])
    func `an id of a known form is one, and no record that is found has another`(id: String) throws {
        let kind = "juicyway.customer.create"
        let context = try Sample.context(kind)
        let created = Sample.answer(201, #"{"data": {"id": "\#(id)"}}"#)
        #expect(CreationReader.read(created, for: context).providerID == id)
        let list = { (id: String) in Sample.answer(200, #"{"data": [{"id": "\#(id)", "email": "ada+1@example.com"}]}"#)
        }
        let lookUp = try #require(Sample.definition(kind).lookUp)
        #expect(lookUp.read(list(id), list(id).json, for: context).providerID == id)
        #expect(lookUp.read(list("N/A"), list("N/A").json, for: context).isUnreadable)
    }

    @Test func `an id may be a number of any length`() throws {
        let context = try Sample.context("iron.customer.create")
        let answer = Sample.answer(201, #"{"id": 12345678901234567890123}"#)
        let result = CreationReader.read(answer, for: context)
        #expect(result.providerID == "12345678901234567890123")
    }

    // MARK: - Lists

    @Test(arguments: ["iron.identification.create", "juicyway.customer.create"])
    func `a list is followed to its end`(kind: String) async throws {
        var rule = FaultRule(.paged)
        rule.pages = 3
        rule.method = "GET"
        var configuration = SimulatorConfiguration()
        configuration.faults = [rule]
        try await withSimulator(configuration) { caller, _ in
            var claim = Sample.claim(kind)
            if kind.hasPrefix("iron") {
                claim.afterProviderID = await create(caller).providerID
                claim.idempotencyKey = "8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a12"
            }
            let operation = Sample.definition(kind)
            let created = await caller.call(.create, for: claim, as: operation) { true }
            #expect(created.outcome == .succeeded)
            let found = await caller.call(.lookUp, for: claim, as: operation) { true }
            #expect(found.outcome == .adopted)
            #expect(found.providerID == created.providerID)
        }
    }

    @Test func `a list without end proves nothing, and ends`() async throws {
        // Many answers, on a busy machine.
        try await withPeer(timeout: .seconds(120)) { request in
            let page = request.connection + request.number
            return [.answer(200, #"{"items": [{"id": "x-1", "status": "Archived"}], "cursor": "c\#(page)"}"#)]
        } _: { peer, caller in
            var claim = Sample.claim("iron.identification.create")
            claim.afterProviderID = "c-1"
            let result = await caller.call(
                .lookUp, for: claim, as: Sample.definition("iron.identification.create")
            ) { true }
            #expect(result.outcome == .unavailable)
            #expect(result.isUnreadable)
            #expect(peer.seen.requests <= Pages.limit)
            #expect(peer.seen.requests > 1)
        }
    }
}
