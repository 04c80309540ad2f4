import AsyncHTTPClient
import Contracts
import NIOCore
import NIOHTTP1
import NIOPosix
import Simulator
import Testing

@Suite struct SimulatorServerTests {
    private static let connect =
        #"{"basicData": {}, "taxInformation": {}, "identification": {}, "mainAddress": {}}"#

    /// Runs a simulator with a client for as long as `body` runs.
    private func withServer(
        _ configuration: SimulatorConfiguration, _ body: (HTTPClient, String) async throws -> Void
    ) async throws {
        let server = try SimulatorServer(configuration)
        let client = HTTPClient()
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run { continuation.yield($0) } }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            var failure: (any Error)?
            do { try await body(client, "http://127.0.0.1:\(port)") } catch { failure = error }
            group.cancelAll()
            // The server ends with its cancellation.
            try? await group.waitForAll()
            try await client.shutdown()
            if let failure { throw failure }
        }
    }

    private func post(_ base: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: base + "/connect/customers/individual")
        request.method = .POST
        request.headers.add(name: "x-api-key", value: "sandbox-key")
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: Self.connect))
        return request
    }

    private func summary(_ client: HTTPClient, _ base: String) async throws -> JSONValue {
        let answer = try await client.execute(
            HTTPClientRequest(url: base + "/_simulator/summary"), timeout: .seconds(60))
        return try JSONValue(parsing: Array(buffer: await answer.body.collect(upTo: 1 << 20)))
    }

    private func lateEffect(after milliseconds: Int) -> SimulatorConfiguration {
        var configuration = SimulatorConfiguration()
        var rule = FaultRule(.lateEffect)
        rule.milliseconds = milliseconds
        configuration.faults = [rule]
        return configuration
    }

    @Test(.timeLimit(.minutes(10))) func `a late effect comes although its client has gone`() async throws {
        try await withServer(lateEffect(after: 12_000)) { client, base in
            await #expect(throws: HTTPClientError.self) {
                try await client.execute(post(base), timeout: .seconds(1))
            }
            #expect(try await summary(client, base)["effects"] == .number("0"))
            while try await summary(client, base)["requests_on_their_way"] != .number("0") { await Task.yield() }
            #expect(try await summary(client, base)["effects"] == .number("1"))
        }
    }

    @Test(.timeLimit(.minutes(10))) func `a client that waits gets the answer of the late effect`() async throws {
        try await withServer(lateEffect(after: 50)) { client, base in
            let answer = try await client.execute(post(base), timeout: .seconds(60))
            #expect(answer.status.code == 201)
            #expect(try await summary(client, base)["effects"] == .number("1"))
        }
    }

    @Test(.timeLimit(.minutes(10))) func `a late effect comes after its connection was cut`() async throws {
        var configuration = lateEffect(after: 12_000)
        configuration.faults[0].cutAfter = 100
        try await withServer(configuration) { client, base in
            await #expect(throws: (any Error).self) {
                let answer = try await client.execute(post(base), timeout: .seconds(60))
                _ = try await answer.body.collect(upTo: 1 << 20)
            }
            #expect(try await summary(client, base)["effects"] == .number("0"))
            while try await summary(client, base)["requests_on_their_way"] != .number("0") { await Task.yield() }
            #expect(try await summary(client, base)["effects"] == .number("1"))
        }
    }

    @Test(.timeLimit(.minutes(10))) func `half a request has no effect`() async throws {
        try await withServer(SimulatorConfiguration()) { client, base in
            let head =
                "POST /connect/customers/individual HTTP/1.1\r\nhost: x\r\nx-api-key: sandbox-key\r\n"
                + "content-type: application/json\r\ncontent-length: \(Self.connect.utf8.count)\r\n\r\n"
            let channel = try await connect(base).get()
            try await channel.writeAndFlush(ByteBuffer(string: head + Self.connect.dropLast()))
            try await channel.close()
            #expect(try await summary(client, base)["effects"] == .number("0"))
            let whole = try await connect(base).get()
            try await whole.writeAndFlush(ByteBuffer(string: head + Self.connect))
            while try await summary(client, base)["effects"] != .number("1") { await Task.yield() }
            try await whole.close()
        }
    }

    /// A connection on which nothing is sent.
    private func connect(_ base: String) throws -> EventLoopFuture<any Channel> {
        let port = try #require(base.split(separator: ":").last.flatMap { Int($0) })
        return ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(host: "127.0.0.1", port: port)
    }

    @Test(.timeLimit(.minutes(10))) func `a server may be cancelled while clients connect`() async throws {
        for _ in 0..<20 {
            try await withServer(SimulatorConfiguration()) { _, base in
                for _ in 0..<50 {
                    // Whether it comes before the server's end or is refused: it is let go at once.
                    try connect(base).whenSuccess { $0.close(promise: nil) }
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: [FaultRule.Fault.hang, .slowBody])
    func `a server that ends cuts the call that hangs and waits for no silent client`(fault: FaultRule.Fault)
        async throws
    {
        var configuration = SimulatorConfiguration()
        var rule = FaultRule(fault)
        rule.seconds = 300
        // For each byte of a slow body.
        rule.milliseconds = 900
        configuration.faults = [rule]
        var began = ContinuousClock.now
        var call: Task<ByteBuffer, any Error>?
        try await withServer(configuration) { client, base in
            _ = try await connect(base).get()
            let request = post(base)
            call = Task {
                let answer = try await client.execute(request, timeout: .minutes(5))
                return try await answer.body.collect(upTo: 1 << 20)
            }
            while try await summary(client, base)["providers"]?["connect"]?["most_in_flight"] != .number("1") {
                await Task.yield()
            }
            began = .now
        }
        // Of its own accord: it is cancelled, and may trap, only after twenty seconds.
        #expect(ContinuousClock.now - began < .seconds(15))
        let ended = await call?.result
        #expect(throws: (any Error).self) { try ended?.get() }
    }
}
