import NIOCore
import NIOHTTP1

/// Stands between async-http-client and the wire of one HTTP/1.1 connection, and guards both ends of an exchange.
///
/// Out: a request's last piece is written only when all before it has left and the lease still holds. What is in the
/// kernel's buffer leaves whatever becomes of this process: one that is stopped while a body is under way, and goes on
/// after others have taken its job, must not complete the request. Without its last piece a request has no effect, for
/// its length was announced (RFC 9112, section 6.3). A request that leaves in one write, the usual case, is its own last
/// piece.
///
/// In: an answer is handed over when all of it and nothing after it has come. Bytes that nobody asked for end the
/// connection (RFC 9112, section 9.2): taken for the next request's answer, they would put another record into a job.
final class RequestGate: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// The lease is in doubt; the request was not sent to its end.
    struct LeaseInDoubt: Error {}
    /// The connection was closed, or something came on it unasked, before the request; nothing was sent.
    struct StaleConnection: Error {}
    /// The answer is longer than is taken of one.
    struct AnswerTooLong: Error {}
    /// A success was answered before the request was complete: whose it is is unknown.
    struct AnsweredEarly: Error {}

    /// The piece of a longer request that is held back.
    private static let lastPiece = 1024
    /// Requests up to this size may leave in one write: less than the ten segments that a new connection may send.
    private static let onePiece = 12_000
    /// How long bytes may wait for the other side to take them: the horizon's margin over a call's time.
    static let patience: Duration = .seconds(8)

    private struct Outgoing {
        let exchange: HTTPExchange
        let head: HTTPRequestHead
        var body: ByteBuffer?
        var end: EventLoopPromise<Void>?
    }

    private enum Phase {
        /// Nothing is under way: what comes now is nobody's.
        case idle
        /// A request comes in parts; nothing is written.
        case collecting(Outgoing)
        /// All but the last piece is written.
        case holding(Outgoing)
        /// The whole request is written.
        case sent(HTTPExchange)
        /// Nothing is written any more.
        case closed
    }

    private struct Incoming {
        var head: HTTPResponseHead
        var body = ByteBuffer()
        var end: HTTPHeaders?
        var isComplete = false
        var hasSurplus = false
    }

    private let exchanges: WaitingExchanges
    private var phase = Phase.idle
    private var answer: Incoming?
    /// What had been received when the last answer ended; nil before the first.
    private var received: UInt64?
    private var tellsWindow: Bool?

    init(exchanges: WaitingExchanges) {
        self.exchanges = exchanges
    }

    /// Whether nothing has been written that could be answered.
    var isUnasked: Bool {
        switch phase {
        case .idle, .collecting: true
        case .holding, .sent, .closed: false
        }
    }

    /// Puts the gate into a new connection of async-http-client. To be called on the channel's event loop.
    static func add(to channel: any Channel, exchanges: WaitingExchanges) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            let gate = RequestGate(exchanges: exchanges)
            try pipeline.addHandler(UnaskedBytes(gate: gate), position: .before(decoder))
            try pipeline.addHandler(gate, position: .after(decoder))
        }.flatMap { TCPState.limitLateBytes(of: channel, patience: patience) }
    }

    // MARK: - Requests

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch (unwrapOutboundIn(data), phase) {
        case (.head(var head), .idle):
            guard let exchange = head.headers.first(name: WaitingExchanges.header).flatMap(exchanges.take) else {
                return fail(StaleConnection(), promise, context)
            }
            head.headers.remove(name: WaitingExchanges.header)
            phase = .collecting(Outgoing(exchange: exchange, head: head))
            promise?.succeed()
        case (.body(.byteBuffer(var bytes)), .collecting(var request)):
            if request.body == nil { request.body = bytes } else { request.body?.writeBuffer(&bytes) }
            phase = .collecting(request)
            promise?.succeed()
        case (.end, .collecting(var request)):
            request.end = promise
            begin(request, context)
        default: promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        phase = .closed
        context.close(mode: mode, promise: promise)
    }

    private func begin(_ request: Outgoing, _ context: ChannelHandlerContext) {
        let state = TCPState(of: context.channel)
        guard state.map(isUsable) ?? true else { return fail(StaleConnection(), request.end, context) }
        let size = Self.size(request)
        let leavesAtOnce = state.map { $0.sendsAtOnce(size, tellsWindow: tellsWindow ?? false) } ?? true
        if request.body == nil || size <= Self.onePiece && leavesAtOnce {
            return writeEnd(of: request, request.body, withHead: true, context)
        }
        var rest = request.body ?? ByteBuffer()
        phase = .holding(request)
        request.exchange.begins(on: context.channel)
        context.write(wrapOutboundOut(.head(request.head)), promise: nil)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess { self.hold(rest, for: .milliseconds(1), context) }
        let most = rest.readSlice(length: max(0, rest.readableBytes - Self.lastPiece)) ?? ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(most))), promise: written)
    }

    /// Whether the connection is open and nothing has come unasked; notes at its first use what the kernel tells.
    private func isUsable(_ state: TCPState) -> Bool {
        // No other side says hello with a closed window.
        if tellsWindow == nil { tellsWindow = state.sendWindow > 0 }
        return state.isOpen && (received == nil || received == state.bytesReceived)
    }

    /// Waits until all but the last piece has left. Ends with the connection, which the call's deadline closes.
    private func hold(_ rest: ByteBuffer, for wait: TimeAmount, _ context: ChannelHandlerContext) {
        guard case .holding(let request) = phase else { return }
        let state = TCPState(of: context.channel)
        // Room for what TLS adds.
        let size = rest.readableBytes + 256
        if state.map({ $0.sendsAtOnce(size, tellsWindow: tellsWindow ?? false) }) ?? true {
            return writeEnd(of: request, rest, withHead: false, context)
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: wait) {
            self.hold(rest, for: min(wait * 2, .milliseconds(16)), context)
        }
    }

    private func writeEnd(
        of request: Outgoing, _ piece: ByteBuffer?, withHead: Bool, _ context: ChannelHandlerContext
    ) {
        guard request.exchange.mayEnd() else { return fail(LeaseInDoubt(), request.end, context) }
        request.exchange.begins(on: context.channel)
        phase = .sent(request.exchange)
        if withHead { context.write(wrapOutboundOut(.head(request.head)), promise: nil) }
        if let piece { context.write(wrapOutboundOut(.body(.byteBuffer(piece))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: request.end)
    }

    /// Ends the request with `error`, and the connection with it.
    private func fail(_ error: any Error, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        phase = .closed
        answer = nil
        // Not at once: async-http-client is in the middle of its write.
        context.eventLoop.assumeIsolated().execute {
            context.fireErrorCaught(error)
            promise?.fail(error)
        }
    }

    /// About how many bytes the request is on the wire.
    private static func size(_ request: Outgoing) -> Int {
        let headers = request.head.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        return request.head.uri.utf8.count + headers + (request.body?.readableBytes ?? 0) + 512
    }

    // MARK: - Answers

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .closed = phase { return }
        switch unwrapInboundIn(data) {
        // Informational answers come before the one that counts.
        case .head(let head) where (100..<200).contains(head.status.code) && head.status != .switchingProtocols: break
        case .head(let head): answer = Incoming(head: head)
        case .body(var bytes):
            answer?.body.writeBuffer(&bytes)
            if let answer, let exchange, answer.body.readableBytes > exchange.limit {
                exchange.answered(answer.head)
                fail(AnswerTooLong(), nil, context)
            }
        case .end(let trailers):
            answer?.end = trailers
            answer?.isComplete = true
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        handOver(context)
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What follows a whole answer and is none: the answer stands, the connection does not.
        if answer?.isComplete == true { answer?.hasSurplus = true } else { context.fireErrorCaught(error) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        handOver(context)
        phase = .closed
        context.fireChannelInactive()
    }

    private var exchange: HTTPExchange? {
        switch phase {
        case .collecting(let request), .holding(let request): request.exchange
        case .sent(let exchange): exchange
        case .idle, .closed: nil
        }
    }

    private func handOver(_ context: ChannelHandlerContext) {
        guard var answer, answer.isComplete else { return }
        self.answer = nil
        if case .sent = phase {
            phase = .idle
        } else {
            let end: EventLoopPromise<Void>? =
                if case .holding(let request) = phase { request.end } else { nil }
            guard answer.head.status.code >= 300 else { return fail(AnsweredEarly(), end, context) }
            // A refusal before the request was complete: it never will be.
            phase = .closed
            answer.hasSurplus = true
            end?.succeed()
        }
        if answer.hasSurplus { answer.head.headers.replaceOrAdd(name: "connection", value: "close") }
        received = TCPState(of: context.channel)?.bytesReceived
        context.fireChannelRead(wrapInboundOut(.head(answer.head)))
        if answer.body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(answer.body))) }
        context.fireChannelRead(wrapInboundOut(.end(answer.end)))
    }
}

/// Closes a connection on which bytes come while no request is under way: half an answer would be read as the beginning
/// of the next one.
private final class UnaskedBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let gate: RequestGate

    init(gate: RequestGate) { self.gate = gate }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if gate.isUnasked { context.close(promise: nil) } else { context.fireChannelRead(data) }
    }
}
