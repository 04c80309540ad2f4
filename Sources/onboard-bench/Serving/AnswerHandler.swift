import NIOCore

/// Answers each request of one connection with a new customer's id, after the delay.
///
/// Requests may come before their predecessors are answered; all answers are alike, so their order is no question.
final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let delay: TimeAmount
    private let arrivals: ArrivalLog?
    private var scanner: RequestScanner
    private var firstByte: Int64 = 0
    private let answers = AnswerSource.shared

    init(delay: TimeAmount, arrivals: ArrivalLog?) {
        self.delay = delay
        self.arrivals = arrivals
        scanner = RequestScanner(readsKeys: arrivals != nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if arrivals != nil, scanner.pending.readableBytes == 0 { firstByte = Measure.realtimeMicroseconds() }
        scanner.append(&bytes)
        while let request = scanner.next() {
            arrivals?.add(request.key, at: firstByte)
            answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        guard delay > .nanoseconds(0) else {
            context.writeAndFlush(wrapOutboundOut(answers.next()), promise: nil)
            return
        }
        let channel = context.channel
        // A connection that is gone by then refuses the write, and nobody waits for it.
        channel.eventLoop.scheduleTask(in: delay) { [answers] in
            channel.writeAndFlush(answers.next(), promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        arrivals?.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
