import JobModel
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Providers

/// The last piece of a request, and answers that nobody asked for, on real connections.
@Suite(.timeLimit(.minutes(5))) struct RequestGateTests {
    private static let id = "7da75a46-79fb-361a-0507-4629bf1ecf0d"

    private func business(_ size: Int) -> String {
        let name = String(repeating: "n", count: size)
        return #"{"partner_customer_id": "partner-0000000000001", "business_details": {"business_name": "\#(name)"}, "#
            + #""registration_address": {}}"#
    }

    private func create(
        _ caller: HTTPProviderCaller, _ kind: String = "iron.customer.create", payload: String? = nil,
        willSend: @escaping @Sendable () -> Bool = { true }
    ) async -> CallResult {
        await caller.call(
            .create, for: Sample.claim(kind, payload: payload), as: Sample.definition(kind), willSend: willSend)
    }

    private func person(_ name: String) -> String {
        #"{"email": "\#(name)@example.com", "external_id": "\#(name)", "customer_type": "Person"}"#
    }

    /// Iron's answer to a customer's request.
    private static func customer(_ request: RawPeer.Request) -> RawPeer.Action {
        let name = request.value("external_id") ?? ""
        return .answer(201, #"{"id": "id-1-of-\#(name)", "external_id": "\#(name)", "email": "\#(name)@example.com"}"#)
    }

    private static let stray = RawPeer.Action.answer(
        201, #"{"id": "stray-1", "external_id": "mallory", "email": "mallory@example.com"}"#)

    // MARK: - The last piece

    /// The first fits into this side's kernel, which then has all but the last piece.
    @Test(arguments: [100_000, 4 << 20])
    func `a lease that ends while a body is under way stops it before its last piece`(size: Int) async throws {
        let body = business(size)
        try await withPeer(reads: false) { _ in
            [.answer(200, #"{"customer_id": "\#(Self.id)"}"#)]
        } _: {
            peer, caller in
            let lease = NIOLockedValueBox((holds: true, asked: 0))
            async let result = create(caller, "axisfi.customer.create", payload: body) {
                lease.withLockedValue {
                    $0.asked += 1
                    return $0.holds
                }
            }
            try await peer.until { $0.connections > 0 }
            // Long enough for all that the kernels take.
            try await Task.sleep(for: .milliseconds(300))
            #expect(lease.withLockedValue { $0.asked } == 1, "the last piece is not due before the rest has left")
            lease.withLockedValue { $0.holds = false }
            await peer.readAll()
            let ended = await result
            #expect(ended.outcome == .notSent)
            #expect(!ended.mayHaveReached)
            try await peer.until { $0.closed > 0 }
            #expect(peer.seen.requests == 0)
            #expect(peer.seen.bytes < body.utf8.count)
        }
    }

    @Test(arguments: [0, 900, 5_000, 20_000, 4 << 20]) func `a body of any size arrives whole`(size: Int) async throws {
        let body = business(size)
        let asked = NIOLockedValueBox(0)
        try await withPeer { request in
            request.body == Array(body.utf8) ? [.answer(200, #"{"customer_id": "\#(Self.id)"}"#)] : [.close]
        } _: { peer, caller in
            for _ in 0..<3 {
                let result = await create(caller, "axisfi.customer.create", payload: body) {
                    asked.withLockedValue { $0 += 1 }
                    return true
                }
                #expect(result.outcome == .succeeded)
            }
            #expect(peer.seen.connections == 1)
            #expect(asked.withLockedValue { $0 } == 6)
            // The usual request is one write.
            if size <= 5_000 { #expect(peer.seen.firstReads[0] > body.utf8.count) }
        }
    }

    @Test func `an answer that repeats a long request is read`() async throws {
        let body = business(5 << 20)
        try await withPeer { request in
            [.answer(200, Array(#"{"customer_id": "\#(Self.id)", "#.utf8) + request.body.dropFirst())]
        } _: { _, caller in
            let result = await create(caller, "axisfi.customer.create", payload: body)
            #expect(result.providerID == Self.id)
        }
    }

    @Test func `a call that ends before its last piece has sent nothing`() async throws {
        try await withPeer(reads: false, timeout: .milliseconds(700)) { _ in
            []
        } _: { peer, caller in
            for kind in ["axisfi.customer.create", "connect.individual.create"] {
                let body = kind.hasPrefix("axisfi") ? business(4 << 20) : connect(4 << 20)
                let result = await create(caller, kind, payload: body)
                #expect(result.outcome == .notSent)
                #expect(!result.mayHaveReached)
            }
            // Nor does the kernel send on what it has, once the call is over.
            await peer.readAll()
            try await peer.until { $0.closed == 2 }
            #expect(peer.seen.bytes < 500_000)
            // With its last piece sent, it may have arrived.
            let small = await create(caller, "connect.individual.create")
            #expect(small.outcome == .ambiguous)
            #expect(small.mayHaveReached)
        }
    }

    private func connect(_ size: Int) -> String {
        let note = String(repeating: "n", count: size)
        return #"{"basicData": {"x": "\#(note)"}, "taxInformation": {}, "identification": {}, "mainAddress": {}}"#
    }

    @Test(arguments: [(413, Outcome.rejected), (401, .unauthorized), (503, .notSent)])
    func `a refusal before the request is complete is read, and nothing came of the request`(
        status: Int, outcome: Outcome
    ) async throws {
        try await withPeer(early: [.answer(status, #"{"message": "too early"}"#)]) { _ in
            []
        } _: {
            peer, caller in
            // The peer answers the head and reads on; what it gets is never whole.
            let result = await create(caller, "connect.individual.create", payload: connect(8 << 20))
            #expect(result.outcome == outcome)
            #expect(result.httpStatus == status)
            #expect(!result.mayHaveReached)
            try await peer.until { $0.closed > 0 }
            #expect(peer.seen.requests == 0)
        }
    }

    @Test func `a success before the request is complete is nobody's`() async throws {
        try await withPeer(early: [.answer(201, #"{"data": {"id": "\#(Self.id)"}}"#)]) { _ in
            []
        } _: {
            peer, caller in
            let result = await create(caller, "connect.individual.create", payload: connect(8 << 20))
            #expect(result.outcome == .ambiguous)
            #expect(result.mayHaveReached)
            #expect(result.providerID == nil)
        }
    }

    @Test func `an answer may end with its connection`() async throws {
        try await withPeer { _ in
            [.send(Array("HTTP/1.1 201 X\r\n\r\n{\"id\": \"\(Self.id)\"}".utf8)), .close]
        } _: { _, caller in
            for _ in 0..<3 { #expect(await create(caller).providerID == Self.id) }
        }
    }

    @Test func `informational answers come before the one that counts`() async throws {
        try await withPeer { request in
            [.send(Array("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".utf8)), Self.customer(request)]
        } _: { _, caller in
            #expect(await create(caller, payload: person("ada")).providerID == "id-1-of-ada")
        }
    }

    // MARK: - Answers that nobody asked for

    @Test(arguments: [0, 5])
    func `a second answer on a kept connection is nobody's`(milliseconds: Int64) async throws {
        try await withPeer { request in
            guard request.value("external_id") == "ada", case .send(let own) = Self.customer(request),
                case .send(let other) = Self.stray
            else { return [Self.customer(request)] }
            return milliseconds == 0
                ? [.send(own + other)] : [.send(own), .pause(.milliseconds(milliseconds)), .send(other)]
        } _: { peer, caller in
            #expect(await create(caller, payload: person("ada")).providerID == "id-1-of-ada")
            try await peer.until { $0.closed > 0 }
            #expect(await create(caller, payload: person("eve")).providerID == "id-1-of-eve")
            #expect(peer.seen.connections == 2)
        }
    }

    @Test func `the beginning of an answer on an idle connection ends it`() async throws {
        try await withPeer {
            [Self.customer($0)]
        } _: { peer, caller in
            #expect(await create(caller, payload: person("ada")).outcome == .succeeded)
            peer.sendAll("HTTP/1.1 201 Cre")
            try await peer.until { $0.closed > 0 }
            #expect(await create(caller, payload: person("eve")).providerID == "id-1-of-eve")
            #expect(peer.seen.connections == 2)
        }
    }

    @Test func `a stray answer in the place of one's own shows by what it repeats`() async throws {
        try await withPeer { request in
            request.value("external_id") == "eve" && request.number > 1
                ? [Self.stray, .pause(.milliseconds(20)), Self.customer(request)] : [Self.customer(request)]
        } _: { peer, caller in
            #expect(await create(caller, payload: person("ada")).outcome == .succeeded)
            let result = await create(caller, payload: person("eve"))
            #expect(result.outcome == .ambiguous)
            #expect(result.mayHaveReached)
            #expect(result.providerID == nil)
            #expect(result.error == "the answer repeats another external_id")
            // The answer that comes late meets no third request.
            #expect(await create(caller, payload: person("ivy")).providerID == "id-1-of-ivy")
            #expect(peer.seen.connections == 2)
        }
    }

    // MARK: - Connections that close

    @Test func `what cannot be sent again goes over a connection of its own`() async throws {
        // A second request on a connection finds it closed.
        try await withPeer { request in
            request.number > 1 ? [.close] : [.answer(201, #"{"data": {"id": "c-\#(request.connection)"}}"#)]
        } _: { peer, caller in
            for _ in 0..<40 { #expect(await create(caller, "connect.individual.create").outcome == .succeeded) }
            #expect(peer.seen.connections == 40)
            // What may be sent again keeps its connection.
            #expect(await create(caller).outcome == .ambiguous, "without the wrapper of Connect's answer")
        }
    }

    @Test func `a connection that was closed meanwhile costs no call`() async throws {
        try await withPeer { request in
            [Self.customer(request), .close]
        } _: { peer, caller in
            var made = 0
            for _ in 1...40 {
                let closed = peer.seen.closed
                let result = await create(caller, payload: person("ada"))
                // An event loop that has not looked at its sockets yet may write to the closed one: once in a while.
                guard result.outcome == .succeeded else { continue }
                made += 1
                try await peer.until { $0.closed > closed }
            }
            #expect(peer.seen.requests == made)
            #expect(made >= 30)
        }
    }
}
