import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// Follows one request and knows at each moment whether a byte of it may have left this machine.
final class HTTPExchange: HTTPClientResponseDelegate {
    typealias Response = Answer

    /// The answer was longer than it may be.
    struct AnswerTooLong: Error {}

    private struct State {
        var hasSent = false
        var head: HTTPResponseHead?
        var body: [UInt8] = []
    }

    private let limit: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameter limit: how many bytes of body are taken.
    init(limit: Int) {
        self.limit = limit
    }

    /// Whether the head of the request was written to a connection.
    var hasSent: Bool { state.withLockedValue { $0.hasSent } }

    func didSendRequestHead(task: HTTPClient.Task<Answer>, _ head: HTTPRequestHead) {
        state.withLockedValue { $0.hasSent = true }
    }

    func didReceiveHead(task: HTTPClient.Task<Answer>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        state.withLockedValue { $0.head = head }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Answer>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let fits = state.withLockedValue { state in
            guard state.body.count + buffer.readableBytes <= limit else { return false }
            state.body.append(contentsOf: buffer.readableBytesView)
            return true
        }
        return fits ? task.eventLoop.makeSucceededVoidFuture() : task.eventLoop.makeFailedFuture(AnswerTooLong())
    }

    func didFinishRequest(task: HTTPClient.Task<Answer>) throws -> Answer {
        let (head, body) = state.withLockedValue { ($0.head, $0.body) }
        guard let head else { throw HTTPClientError.remoteConnectionClosed }
        return Answer(head, body: body)
    }
}

extension Answer {
    /// What came over a connection, as one.
    init(_ head: HTTPResponseHead, body: [UInt8]) {
        let headers = head.headers.map { ($0.name.lowercased(), $0.value) }
        self.init(status: Int(head.status.code), headers: Dictionary(headers) { first, _ in first }, body: body)
    }
}
