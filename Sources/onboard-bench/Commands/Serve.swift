import ArgumentParser
import Foundation
import NIOCore
import NIOPosix

/// `onboard-bench serve`: a provider that does nothing but answer, so that it takes as little of the machine as can be.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answers every POST over HTTP/1.1 as if a customer had been created. Ends by SIGTERM.")

    @Option(help: "How long each answer takes, in milliseconds.") var delayMs = 0
    @Option(help: "The port on 127.0.0.1; 0 for any.") var port = 0
    @Option(help: "Where the port that was taken is written.") var portFile: String?
    @Option(help: "Where a line `key microseconds` is written for each request's first byte.") var arrivals: String?

    func validate() throws {
        guard (0...60_000).contains(delayMs), (0...65_535).contains(port) else {
            throw ValidationError("--delay-ms must be from 0 to 60000 and --port from 0 to 65535")
        }
    }

    func run() async throws {
        let log = try arrivals.map(ArrivalLog.init(path:))
        let delay = TimeAmount.milliseconds(Int64(delayMs))
        // One thread: a provider of the same machine should not be able to take both cores.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AnswerHandler(delay: delay, arrivals: log))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        if let portFile {
            try "\(channel.localAddress?.port ?? 0)\n".write(toFile: portFile, atomically: true, encoding: .utf8)
        }
        // Until it is ended by a signal.
        try await channel.closeFuture.get()
    }
}
