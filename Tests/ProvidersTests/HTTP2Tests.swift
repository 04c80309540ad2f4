import AsyncHTTPClient
import Contracts
import JobModel
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import Providers

/// Calls over TLS, to a provider that offers HTTP/2.
@Suite struct HTTP2Tests {
    private func withPeer(
        trusted: Bool = true, _ body: (HTTP2Peer, HTTPProviderCaller) async throws -> Void
    ) async throws {
        let peer = try await HTTP2Peer.start()
        var configuration = HTTPProviderCaller.Configuration(timeout: .seconds(5))
        if trusted { configuration.authorityFile = peer.certificateFile }
        let caller = HTTPProviderCaller(
            endpoints: endpoints("https://127.0.0.1:\(peer.port)"), configuration: configuration)
        do {
            try await body(peer, caller)
        } catch {
            await caller.shutdown()
            throw error
        }
        await caller.shutdown()
        try await peer.stop()
    }

    private func call(_ caller: HTTPProviderCaller, _ kind: String = "iron.customer.create") async -> CallResult {
        await caller.call(.create, for: Sample.claim(kind), operation: Sample.operation(kind)) { true }
    }

    @Test func `many calls share one connection`() async throws {
        try await withPeer { peer, caller in
            #expect(await call(caller).outcome == .succeeded)
            await withTaskGroup { group in
                for _ in 0..<20 { group.addTask { await call(caller).outcome } }
                for await outcome in group { #expect(outcome == .succeeded) }
            }
            #expect(peer.streams == 21)
            #expect(peer.connections == 1)
        }
    }

    @Test(arguments: [HTTP2Peer.Behaviour.goAway, .reset])
    func `a connection that goes away in the middle leaves open what happened`(behaviour: HTTP2Peer.Behaviour)
        async throws
    {
        try await withPeer { peer, caller in
            peer.set(behaviour)
            let keyed = await call(caller)
            #expect(keyed.outcome == .unavailable)
            #expect(keyed.mayHaveReached)
            let unprotected = await call(caller, "connect.individual.create")
            #expect(unprotected.outcome == .ambiguous)
            #expect(unprotected.mayHaveReached)
            // Not repeated behind our back: each call was one request.
            #expect(peer.streams == 2)
            peer.set(.answer)
            #expect(await call(caller).outcome == .succeeded)
        }
    }

    /// Without `EarlyAnswer` the reset ends the process, and without a reset the call waits for its deadline.
    @Test(arguments: [HTTP2Peer.Behaviour.answerEarly, .answerEarlyAndReset])
    func `an answer that comes before the end of the request is an answer`(behaviour: HTTP2Peer.Behaviour)
        async throws
    {
        try await withPeer { peer, caller in
            peer.set(behaviour)
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let body = HTTPClient.Body.stream(contentLength: 2) { writer in
                let written = writer.write(.byteBuffer(ByteBuffer(string: "{}")))
                return written.flatMap { loop.scheduleTask(in: .milliseconds(100)) {}.futureResult }
            }
            let request = try HTTPClient.Request(url: "https://127.0.0.1:\(peer.port)/", method: .POST, body: body)
            for _ in 0..<3 {
                let answer = try await caller.answer(to: request, HTTPExchange(limit: 100))
                #expect(answer.status == 201)
                #expect(answer.headers["content-type"] == "application/json")
                #expect(answer.json?["id"]?.string == "record-1")
            }
            #expect(peer.connections == 1)
        }
    }

    @Test func `nothing is sent to a peer that cannot prove who it is`() async throws {
        try await withPeer(trusted: false) { peer, caller in
            let result = await call(caller, "connect.individual.create")
            #expect(result.outcome == .notSent)
            #expect(!result.mayHaveReached)
            #expect(peer.streams == 0)
        }
    }
}
