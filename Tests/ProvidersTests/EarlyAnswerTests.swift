import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Providers

/// What waits for a request's end.
@Suite struct EarlyAnswerTests {
    /// Counts what is asked of the network.
    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = HTTPClientRequestPart
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    @Test func `an answer without end is read no further while the request goes on`() throws {
        let reads = Reads()
        let channel = EmbeddedChannel(handlers: [reads, EarlyAnswer(limit: 10_000)])
        let chunk = ByteBuffer(repeating: 0, count: 6_000)
        try channel.writeInbound(HTTPClientResponsePart.head(.init(version: .http2, status: .created)))
        try channel.writeInbound(HTTPClientResponsePart.body(chunk))
        channel.read()
        #expect(reads.count == 1)

        try channel.writeInbound(HTTPClientResponsePart.body(chunk))
        channel.read()
        #expect(reads.count == 1)
        #expect(try channel.readInbound(as: HTTPClientResponsePart.self) == nil)

        try channel.writeOutbound(HTTPClientRequestPart.end(nil))
        #expect(reads.count == 2)
        for _ in 0..<3 { #expect(try channel.readInbound(as: HTTPClientResponsePart.self) != nil) }
        channel.read()
        #expect(reads.count == 3)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }
}
