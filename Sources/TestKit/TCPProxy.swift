import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A link between a client and a server that can be cut, stalled and mended.
package final class TCPProxy: Sendable {
    /// What the link does with bytes and with new connections.
    package enum Condition: Sendable {
        /// Passes everything on.
        case open
        /// Half open: connections stand, nothing comes through, nobody is told.
        case stalled
        /// New connections are closed at once; those that stand are cut when this begins.
        case cut
    }

    private struct State {
        var condition = Condition.open
        var target: Int
        var pairs: [ObjectIdentifier: any Channel] = [:]
    }

    /// The port on loopback to connect to.
    package let port: Int
    private let listener: any Channel
    private let state: NIOLockedValueBox<State>

    /// Listens on a free port and leads to `port` on loopback.
    package static func start(to port: Int) async throws -> TCPProxy {
        let state = NIOLockedValueBox(State(target: port))
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                guard state.withLockedValue({ $0.condition }) != .cut else { return client.close() }
                return connect(client, to: state.withLockedValue { $0.target }, group: group, state: state)
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return TCPProxy(listener: listener, state: state)
    }

    private init(listener: any Channel, state: NIOLockedValueBox<State>) {
        self.listener = listener
        self.state = state
        port = listener.localAddress?.port ?? 0
    }

    /// Changes what the link does from now on.
    package func set(_ condition: Condition) {
        let cut = state.withLockedValue { state -> [any Channel] in
            state.condition = condition
            return condition == .cut ? Array(state.pairs.values) : []
        }
        for channel in cut { channel.end() }
        guard condition == .open else { return }
        for channel in state.withLockedValue({ Array($0.pairs.values) }) {
            channel.pipeline.fireUserInboundEventTriggered(Mended())
        }
    }

    /// Leads new connections to another port on loopback; those that stand stay where they are.
    package func lead(to port: Int) {
        state.withLockedValue { $0.target = port }
    }

    /// Closes the listener and every connection.
    package func stop() async throws {
        set(.cut)
        try await listener.close()
    }

    private static func connect(
        _ client: any Channel, to port: Int, group: any EventLoopGroup, state: NIOLockedValueBox<State>
    ) -> EventLoopFuture<Void> {
        ClientBootstrap(group: client.eventLoop)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: port)
            .flatMap { server in
                for channel in [client, server] {
                    let id = ObjectIdentifier(channel)
                    state.withLockedValue { $0.pairs[id] = channel }
                    channel.closeFuture.whenComplete { _ in state.withLockedValue { $0.pairs[id] = nil } }
                }
                let isStalled = { @Sendable in state.withLockedValue { $0.condition } == .stalled }
                do {
                    try client.pipeline.syncOperations.addHandler(Forwarder(to: server, isStalled: isStalled))
                    try server.pipeline.syncOperations.addHandler(Forwarder(to: client, isStalled: isStalled))
                } catch {
                    return client.eventLoop.makeFailedFuture(error)
                }
                server.read()
                return client.eventLoop.makeSucceededVoidFuture()
            }
    }
}

extension Channel {
    /// Shuts the connection down before its descriptor is closed: a child process that was started while it was opened may
    /// have a copy, and as long as that stands, closing ours tells the other end nothing.
    fileprivate func end() {
        close(mode: .output, promise: nil)
        close(promise: nil)
    }
}

/// Tells a connection that the link passes bytes on again.
private struct Mended: Sendable {}

/// Passes what one side reads to the other, one read at a time, so that a slow side holds the other back.
private final class Forwarder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let peer: any Channel
    private let isStalled: @Sendable () -> Bool
    /// What came while the link was stalled; at most one read of each side.
    private var held: NIOAny?

    init(to peer: any Channel, isStalled: @escaping @Sendable () -> Bool) {
        self.peer = peer
        self.isStalled = isStalled
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isStalled() { held = data } else { pass(data, context.channel) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is Mended, let data = held else { return }
        held = nil
        pass(data, context.channel)
    }

    private func pass(_ data: NIOAny, _ channel: any Channel) {
        peer.writeAndFlush(unwrapInboundIn(data)).whenSuccess { channel.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        peer.end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
