import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// `onboard-bench client`: the HTTP client in a loop, without queue, database or journal: the limit of what a worker can send.
struct Client: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends the worker's requests in a loop; prints requests a second and its own processor seconds.")

    @Option(help: "The server's port on 127.0.0.1.") var port: Int
    @Option(help: "Requests in flight.") var concurrency = 100
    @Option(help: "How many requests in all.") var requests = 20_000

    func validate() throws {
        guard (1...65_535).contains(port), (1...10_000).contains(concurrency), requests >= concurrency else {
            throw ValidationError("--port 1 to 65535, --concurrency 1 to 10000, --requests at least as many")
        }
    }

    func run() async throws {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.connectionPool = .init(
            idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: concurrency)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        // Connections are opened before the clock starts, as they are in a daemon that has run for a while.
        let refusedAtFirst = await send(concurrency, with: client)
        let processor = Measure.processorSeconds()
        let start = ContinuousClock.now
        let refused = await send(requests, with: client)
        let wall = (ContinuousClock.now - start) / .seconds(1)
        let used = Measure.processorSeconds() - processor
        try await client.shutdown()
        Measure.report("requests_per_second \(Double(requests) / wall)")
        Measure.report("processor_seconds \(used)")
        guard refused + refusedAtFirst == 0 else {
            throw ValidationError("\(refused + refusedAtFirst) requests were not answered by 201")
        }
    }

    /// Returns how many were not answered by 201.
    private func send(_ count: Int, with client: HTTPClient) async -> Int {
        await withTaskGroup(of: Int.self) { group in
            for lane in 0..<concurrency {
                group.addTask(name: "lane") { [self] in
                    var refused = 0
                    for number in stride(from: lane, to: count, by: concurrency) {
                        // Whatever the error is, the figure would not be one.
                        let status = try? await client.execute(request: request(number)).get().status
                        if status != .created { refused += 1 }
                    }
                    return refused
                }
            }
            return await group.reduce(0, +)
        }
    }

    /// What `HTTPProviderCaller` sends for such a job.
    private func request(_ number: Int) throws -> HTTPClient.Request {
        try HTTPClient.Request(
            url: "http://127.0.0.1:\(port)/customers", method: .POST,
            headers: [
                "Authorization": "bench", "User-Agent": "onboard", "Accept": "application/json",
                "Content-Type": "application/json", "Idempotency-Key": UUID().uuidString.lowercased(),
            ],
            body: .byteBuffer(ByteBuffer(string: BenchJob.payload(number))))
    }
}
