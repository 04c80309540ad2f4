import Contracts
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import Providers

/// A provider that a script plays, byte by byte.
final class RawPeer: Sendable {
    /// A request as it came.
    struct Request: Sendable {
        let head: String
        let body: [UInt8]
        /// Which connection it came on, from 1, and which request on it.
        let connection: Int
        let number: Int

        /// A member of the body.
        func value(_ member: String) -> String? {
            // No JSON has no members.
            (try? JSONValue(parsing: body))?[member]?.string
        }
    }

    enum Action: Sendable {
        case send([UInt8])
        case pause(TimeAmount)
        case close

        static func answer(_ status: Int, _ body: String, _ headers: String = "") -> Action {
            .answer(status, Array(body.utf8), headers)
        }

        static func answer(_ status: Int, _ body: [UInt8], _ headers: String = "") -> Action {
            .send(Array("HTTP/1.1 \(status) X\r\n\(headers)content-length: \(body.count)\r\n\r\n".utf8) + body)
        }
    }

    struct Seen: Sendable {
        var connections = 0
        var requests = 0
        var bytes = 0
        /// Bytes of the first read of each connection.
        var firstReads: [Int] = []
        var closed = 0
    }

    let base: String
    private let channel: any Channel
    private let state: NIOLockedValueBox<(seen: Seen, children: [any Channel])>

    var seen: Seen { state.withLockedValue { $0.seen } }

    /// - Parameters:
    ///   - tls: the server's identity; nil for plain TCP.
    ///   - reads: whether what comes is read; else not before `readAll`.
    ///   - early: what is done when a head has come, before its body.
    static func start(
        tls: NIOSSLContext? = nil, reads: Bool = true, early: [Action] = [],
        _ script: @escaping @Sendable (Request) -> [Action]
    ) async throws -> RawPeer {
        let state = NIOLockedValueBox((seen: Seen(), children: [any Channel]()))
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            // The kernel takes little of a long body.
            .serverChannelOption(.socketOption(.so_rcvbuf), value: reads ? 1 << 20 : 8_192)
            .childChannelOption(.autoRead, value: reads)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture {
                    let number = state.withLockedValue {
                        $0.seen.connections += 1
                        $0.children.append(child)
                        return $0.seen.connections
                    }
                    let sync = child.pipeline.syncOperations
                    if let tls { try sync.addHandler(NIOSSLServerHandler(context: tls)) }
                    try sync.addHandler(Player(state: state, connection: number, early: early, script: script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return RawPeer(channel: channel, state: state, scheme: tls == nil ? "http" : "https")
    }

    private init(
        channel: any Channel, state: NIOLockedValueBox<(seen: Seen, children: [any Channel])>, scheme: String
    ) {
        self.channel = channel
        self.state = state
        base = "\(scheme)://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    /// Reads all connections from now on.
    func readAll() async {
        for child in state.withLockedValue({ $0.children }) {
            // One that is closed has nothing to read.
            try? await child.setOption(.autoRead, value: true).get()
        }
    }

    /// Sends on all connections.
    func sendAll(_ text: String) {
        for child in state.withLockedValue({ $0.children }) {
            child.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
    }

    /// Waits for what the peer sees, for at most a minute.
    func until(
        sourceLocation: SourceLocation = #_sourceLocation, _ condition: (Seen) -> Bool
    ) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while !condition(seen) {
            guard ContinuousClock.now < end else {
                Issue.record("the peer saw only \(seen)", sourceLocation: sourceLocation)
                return
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    func stop() async throws { try await channel.close() }

    private final class Player: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let state: NIOLockedValueBox<(seen: Seen, children: [any Channel])>
        private let connection: Int
        private let early: [Action]
        private let script: @Sendable (Request) -> [Action]
        private var bytes: [UInt8] = []
        private var head: String?
        private var number = 0

        init(
            state: NIOLockedValueBox<(seen: Seen, children: [any Channel])>, connection: Int,
            early: [Action], script: @escaping @Sendable (Request) -> [Action]
        ) {
            self.state = state
            self.connection = connection
            self.early = early
            self.script = script
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            state.withLockedValue {
                $0.seen.bytes += buffer.readableBytes
                if bytes.isEmpty, number == 0, head == nil { $0.seen.firstReads.append(buffer.readableBytes) }
            }
            bytes.append(contentsOf: buffer.readableBytesView)
            if head == nil, let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
                bytes.removeFirst(end.upperBound)
                play(early[...], context)
            }
            guard let head, bytes.count >= length(of: head) else { return }
            number += 1
            state.withLockedValue { $0.seen.requests += 1 }
            let body = Array(bytes.prefix(length(of: head)))
            bytes.removeFirst(body.count)
            self.head = nil
            play(script(Request(head: head, body: body, connection: connection, number: number))[...], context)
        }

        func channelInactive(context: ChannelHandlerContext) { state.withLockedValue { $0.seen.closed += 1 } }

        // A connection that the other side gave up.
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func length(of head: String) -> Int {
            head.lowercased().firstMatch(of: /content-length: (\d+)/).flatMap { Int($0.1) } ?? 0
        }

        private func play(_ actions: ArraySlice<Action>, _ context: ChannelHandlerContext) {
            guard let action = actions.first else { return }
            let rest = actions.dropFirst()
            switch action {
            case .send(let bytes):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
                play(rest, context)
            case .pause(let time):
                context.eventLoop.assumeIsolated().scheduleTask(in: time) { self.play(rest, context) }
            case .close: context.close(promise: nil)
            }
        }
    }
}

/// Runs a peer and a caller of it.
func withPeer(
    tls: NIOSSLContext? = nil, trusting authorityFile: String? = nil, reads: Bool = true,
    timeout: Duration = .seconds(30), early: [RawPeer.Action] = [],
    _ script: @escaping @Sendable (RawPeer.Request) -> [RawPeer.Action],
    _ body: (RawPeer, HTTPProviderCaller) async throws -> Void
) async throws {
    let peer = try await RawPeer.start(tls: tls, reads: reads, early: early, script)
    var configuration = HTTPProviderCaller.Configuration(timeout: timeout)
    configuration.authorityFile = authorityFile
    let caller = HTTPProviderCaller(endpoints: endpoints(peer.base), configuration: configuration)
    do {
        try await body(peer, caller)
    } catch {
        await caller.shutdown()
        throw error
    }
    await caller.shutdown()
    try await peer.stop()
}
