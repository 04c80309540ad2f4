import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// Follows one request and knows at each moment whether all of it may have left this machine.
final class HTTPExchange: HTTPClientResponseDelegate {
    typealias Response = Answer

    private struct State {
        var hasBegun = false
        var hasSent = false
        var channel: (any Channel)?
        var head: HTTPResponseHead?
        var body: [UInt8] = []
    }

    /// How many bytes of an answer's body are taken, both as they come and decoded.
    let limit: Int
    private let willSend: @Sendable () -> Bool
    private let state = NIOLockedValueBox(State())

    /// - Parameter willSend: asked at the moment at which the request's last piece is written.
    init(limit: Int, willSend: @escaping @Sendable () -> Bool) {
        self.limit = limit
        self.willSend = willSend
    }

    /// Whether a first byte was written.
    var hasBegun: Bool { state.withLockedValue { $0.hasBegun } }
    /// Whether the last piece was written, without which the request has no effect.
    var hasSent: Bool { state.withLockedValue { $0.hasSent } }

    /// A first part is being written to `channel`.
    func begins(on channel: any Channel) {
        state.withLockedValue {
            $0.hasBegun = true
            $0.channel = channel
        }
    }

    /// Whether the last piece may be written; if so it counts as sent from here on.
    func mayEnd() -> Bool {
        guard willSend() else { return false }
        state.withLockedValue { $0.hasSent = true }
        return true
    }

    /// An answer began, whose body may not come.
    func answered(_ head: HTTPResponseHead) { state.withLockedValue { $0.head = head } }

    /// The answer without a body, where one came.
    var bareAnswer: Answer? { state.withLockedValue { $0.head }.map { Answer($0, body: []) } }

    /// Closes the connection, which may bring somebody else's answers.
    func dropConnection() { state.withLockedValue { $0.channel }?.close(mode: .all, promise: nil) }

    func didReceiveHead(task: HTTPClient.Task<Answer>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        answered(head)
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Answer>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        state.withLockedValue { $0.body.append(contentsOf: buffer.readableBytesView) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Answer>) throws -> Answer {
        let (head, body) = state.withLockedValue { ($0.head, $0.body) }
        guard let head else { throw HTTPClientError.remoteConnectionClosed }
        // What cannot be decoded says nothing.
        let coding = head.headers.first(name: "content-encoding")
        return Answer(head, body: ContentCoding.decode(body, name: coding, limit: limit) ?? [])
    }
}

extension Answer {
    /// What came over a connection, as one.
    init(_ head: HTTPResponseHead, body: [UInt8]) {
        let headers = head.headers.map { ($0.name.lowercased(), $0.value) }
        self.init(status: Int(head.status.code), headers: Dictionary(headers) { first, _ in first }, body: body)
    }
}

/// The requests that have no connection yet, by the name that their heads carry inside this process.
final class WaitingExchanges: Sendable {
    /// The header that leads from a request's head to its exchange. It never leaves: ``RequestGate`` takes it out.
    static let header = "onboard-exchange"

    private let state = NIOLockedValueBox((next: 0, exchanges: [String: HTTPExchange]()))

    /// Keeps `exchange` until it is taken; its name goes into the request.
    func add(_ exchange: HTTPExchange) -> String {
        state.withLockedValue { state in
            state.next += 1
            let name = String(state.next)
            state.exchanges[name] = exchange
            return name
        }
    }

    /// The exchange of that name, which is not kept any longer.
    @discardableResult func take(_ name: String) -> HTTPExchange? {
        state.withLockedValue { $0.exchanges.removeValue(forKey: name) }
    }
}
