import NIOCore
import NIOHTTP1
import NIOHTTP2

/// Lets a request end before its answer begins.
///
/// A server may answer as soon as the announced bytes have come, and over HTTP/2 may then reset a stream that the request
/// has not ended yet (RFC 9113, section 8.1), as nginx does. async-http-client 1.37 writes a body and its end in two steps.
/// Where an answer comes between them it lets go of the request too soon (`HTTP2ClientRequestHandler`): the reset ends the
/// process, and without one the call waits for its deadline and the answer is lost. So an answer's parts wait here until
/// the request's end is written, and an answer that a reset follows is handed over with the error. Once more waits than is
/// taken of an answer, no more is read: the stream's window then holds the server up.
final class EarlyAnswer: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// The whole answer had come when the stream was closed.
    struct Complete: Error {
        let answer: Answer
    }

    private let limit: Int
    private var hasRequestEnded = false
    private var held: [HTTPClientResponsePart] = []
    private var heldBytes = 0
    private var isReadPutOff = false

    /// - Parameter limit: how many bytes wait before no more are read.
    init(limit: Int) {
        self.limit = limit
    }

    /// Adds the handler to a stream of HTTP/2, next to the frames. To be called on the channel's event loop.
    static func wait(in stream: any Channel, limit: Int) -> EventLoopFuture<Void> {
        stream.eventLoop.makeCompletedFuture {
            let pipeline = stream.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP2FramePayloadToHTTP1ClientCodec.self)
            try pipeline.addHandler(EarlyAnswer(limit: limit), position: .after(codec))
        }
    }

    func read(context: ChannelHandlerContext) {
        if heldBytes > limit { isReadPutOff = true } else { context.read() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { hasRequestEnded = true }
        context.write(data, promise: promise)
        guard hasRequestEnded, !held.isEmpty else { return }
        // Before the flush, since the stream closes when both ends are out.
        for part in takeHeld() { context.fireChannelRead(wrapInboundOut(part)) }
        context.fireChannelReadComplete()
        if isReadPutOff {
            isReadPutOff = false
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasRequestEnded else { return context.fireChannelRead(data) }
        let part = unwrapInboundIn(data)
        held.append(part)
        // A part takes room whatever is in it.
        heldBytes += 256
        if case .body(let bytes) = part { heldBytes += bytes.readableBytes }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.fireErrorCaught(takeComplete() ?? error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let complete = takeComplete() { context.fireErrorCaught(complete) }
        context.fireChannelInactive()
    }

    private func takeHeld() -> [HTTPClientResponsePart] {
        defer {
            held = []
            heldBytes = 0
        }
        return held
    }

    private func takeComplete() -> Complete? {
        let parts = takeHeld()
        guard case .end = parts.last else { return nil }
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        for part in parts {
            switch part {
            // Of several the last: those before it are informational.
            case .head(let next): head = next
            case .body(let bytes): body.append(contentsOf: bytes.readableBytesView)
            case .end: break
            }
        }
        return head.map { Complete(answer: Answer($0, body: body)) }
    }
}
