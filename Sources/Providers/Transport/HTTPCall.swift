import AsyncHTTPClient
import JobModel
import Kinds
import NIOCore
import NIOHTTP1
import NIOSSL

/// One call: all that its requests share. An object, since copies of its values are not for free.
final class HTTPCall: Sendable {
    /// How one request ended.
    enum Ending: Sendable {
        case read(CallResult, Answer)
        case failed(any Error)
    }

    let context: CallContext
    var definition: KindDefinition { context.definition }
    let endpoint: Endpoint
    let willSend: @Sendable () -> Bool
    /// The end of the whole call.
    let deadline: NIODeadline

    init(
        context: CallContext, endpoint: Endpoint, willSend: @escaping @Sendable () -> Bool,
        deadline: NIODeadline
    ) {
        self.context = context
        self.endpoint = endpoint
        self.willSend = willSend
        self.deadline = deadline
    }

    /// The same call to another endpoint, with what is left of its time.
    convenience init(_ call: HTTPCall, endpoint: Endpoint) {
        self.init(
            context: call.context, endpoint: endpoint, willSend: call.willSend, deadline: call.deadline)
    }
}

extension HTTPProviderCaller {
    static func clientConfiguration(
        _ configuration: Configuration, _ exchanges: WaitingExchanges
    ) -> HTTPClient.Configuration {
        var http = HTTPClient.Configuration(redirectConfiguration: .disallow)
        http.httpVersion = .http1Only
        http.timeout = .init(connect: .nanoseconds(configuration.connectTimeout.nanoseconds))
        http.connectionPool = .init(
            idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: configuration.connections)
        http.connectionPool.retryConnectionEstablishment = false
        http.http1_1ConnectionDebugInitializer = { RequestGate.add(to: $0, exchanges: exchanges) }
        if let file = configuration.authorityFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.additionalTrustRoots = [.file(file)]
            http.tlsConfiguration = tls
        }
        return http
    }

    /// Sends one request and reads its answer.
    ///
    /// What can never be sent again goes over a connection of its own: one that was kept may be closed by the provider at
    /// the moment of the request, and then nothing tells whether it arrived. Over a connection that shows before the first
    /// byte that it is closed, nothing was sent: such a request goes over a new one at once.
    func send(
        _ request: ProviderRequest, _ call: HTTPCall, reads: (Answer) -> CallResult
    ) async -> (HTTPCall.Ending, HTTPExchange) {
        let wantsFresh = request.method == .POST && call.definition.policy.resend == .never
        // An answer may repeat the whole request, and escape each character of it.
        let limit = configuration.answerLimit + 2 * (call.context.claim.payload?.count ?? 0)
        let exchange = HTTPExchange(limit: limit, willSend: call.willSend)
        var (result, last) = (await answer(to: request, call, exchange, fresh: wantsFresh), exchange)
        if case .failure(let error) = result, !exchange.hasBegun, Self.isStale(error) {
            last = HTTPExchange(limit: limit, willSend: call.willSend)
            result = await answer(to: request, call, last, fresh: true)
        }
        switch result {
        case .failure(let error): return (.failed(error), last)
        case .success(let answer):
            let result = reads(answer)
            // Not what it should be: the connection may bring the answers to other requests.
            let isUnclear = [.ambiguous, .unavailable].contains(result.outcome)
            if (200..<300).contains(answer.status), isUnclear { last.dropConnection() }
            return (.read(result, answer), last)
        }
    }

    /// Waits for the whole answer; an error where there is none within the time.
    private func answer(
        to request: ProviderRequest, _ call: HTTPCall, _ exchange: HTTPExchange, fresh: Bool
    ) async -> Result<Answer, any Error> {
        let name = exchanges.add(exchange)
        defer { exchanges.take(name) }
        do {
            let task = (fresh ? freshClient : client).execute(
                request: try httpRequest(request, call, exchange: name, fresh: fresh), delegate: exchange,
                deadline: call.deadline)
            let answer = try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.cancel()
            }
            return .success(answer)
        } catch {
            // A status counts without its body.
            if error is RequestGate.AnswerTooLong, let answer = exchange.bareAnswer { return .success(answer) }
            return .failure(error)
        }
    }

    private func httpRequest(
        _ request: ProviderRequest, _ call: HTTPCall, exchange: String, fresh: Bool
    ) throws -> HTTPClient.Request {
        let claim = call.context.claim
        var headers = HTTPHeaders(call.endpoint.headers.map { ($0.name, $0.value) })
        headers.add(name: WaitingExchanges.header, value: exchange)
        headers.add(name: "User-Agent", value: "onboard")
        headers.add(name: "Accept", value: "application/json")
        headers.add(name: "Accept-Encoding", value: ContentCoding.accepted)
        if fresh { headers.add(name: "Connection", value: "close") }
        if let trace = claim.traceparent { headers.add(name: "traceparent", value: trace) }
        for header in request.headers { headers.add(name: header.name, value: header.value) }
        if let type = request.contentType { headers.add(name: "Content-Type", value: type) }
        if request.body != nil, let name = call.definition.key?.header {
            headers.add(name: name, value: claim.idempotencyKey)
        }
        // A URL that cannot be made is a base URL that start-up should have refused.
        return try HTTPClient.Request(
            url: call.endpoint.baseURL + request.path, method: request.method, headers: headers,
            body: request.body.map { .byteBuffer(ByteBuffer(bytes: $0)) })
    }

    /// The connection was closed before the request.
    private static func isStale(_ error: any Error) -> Bool {
        error is RequestGate.StaleConnection || error as? ChannelError == .ioOnClosedChannel
            || error as? HTTPClientError == .remoteConnectionClosed
    }
}
