import AsyncHTTPClient
import Contracts
import NIOConcurrencyHelpers
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
        try await withServer(lateEffect(after: 4000)) { client, base in
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

    @Test(.timeLimit(.minutes(10))) func `a server may be cancelled while clients connect`() async throws {
        for _ in 0..<20 {
            try await withServer(SimulatorConfiguration()) { _, base in
                let port = try #require(base.split(separator: ":").last.flatMap { Int($0) })
                for _ in 0..<50 {
                    // Whether it comes before the server's end or is refused: it is let go at once.
                    ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(host: "127.0.0.1", port: port)
                        .whenSuccess { $0.close(promise: nil) }
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(10))) func `a server that ends cuts the call that hangs and waits for no silent client`()
        async throws
    {
        var configuration = SimulatorConfiguration()
        var hang = FaultRule(.hang)
        hang.seconds = 300
        configuration.faults = [hang]
        let began = NIOLockedValueBox(ContinuousClock.now)
        let call = NIOLockedValueBox<Task<ByteBuffer, any Error>?>(nil)
        try await withServer(configuration) { client, base in
            let port = try #require(base.split(separator: ":").last.flatMap { Int($0) })
            _ = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: "127.0.0.1", port: port).get()
            let request = post(base)
            let hanging = Task {
                let answer = try await client.execute(request, timeout: .minutes(5))
                return try await answer.body.collect(upTo: 1 << 20)
            }
            call.withLockedValue { $0 = hanging }
            while try await summary(client, base)["providers"]?["connect"]?["in_flight"] != .number("1") {
                await Task.yield()
            }
            began.withLockedValue { $0 = .now }
        }
        // Of its own accord: it is cancelled, and may trap, only after twenty seconds.
        #expect(ContinuousClock.now - began.withLockedValue { $0 } < .seconds(15))
        let ended = await call.withLockedValue { $0 }?.result
        #expect(throws: (any Error).self) { try ended?.get() }
    }
}
