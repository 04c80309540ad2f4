import AsyncHTTPClient
import Contracts
import Crypto
import FoundationEssentials
package import JobModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Calls providers over HTTP. Keeps connections open between calls; follows no redirect and repeats nothing.
package final class HTTPProviderCaller: ProviderCaller {
    /// How calls are made.
    package struct Configuration: Sendable {
        /// The longest that a whole call may take.
        package var timeout: Duration
        /// The longest that connecting may take.
        package var connectTimeout: Duration
        /// How many connections of HTTP/1 to one provider are kept.
        package var connections: Int
        /// The longest answer that is taken, in bytes.
        package var answerLimit: Int
        /// A PEM file of authorities to trust beside the system's, for a way out that ends TLS; nil for none.
        package var authorityFile: String?

        /// The design's 30 seconds, and 5 to connect.
        package init(
            timeout: Duration = .seconds(30), connectTimeout: Duration = .seconds(5), connections: Int = 64,
            answerLimit: Int = 4 << 20
        ) {
            self.timeout = timeout
            self.connectTimeout = connectTimeout
            self.connections = connections
            self.answerLimit = answerLimit
        }
    }

    private let endpoints: [ProviderName: Endpoint]
    private let configuration: Configuration
    private let client: HTTPClient
    private let now: @Sendable () -> Date

    /// Takes the endpoints of the providers that are served. The caller ends with `shutdown`.
    package convenience init(endpoints: [Endpoint], configuration: Configuration = Configuration()) {
        self.init(endpoints: endpoints, configuration: configuration, now: { Date() })
    }

    init(endpoints: [Endpoint], configuration: Configuration, now: @escaping @Sendable () -> Date) {
        self.endpoints = Dictionary(endpoints.map { ($0.provider, $0) }) { $1 }
        self.configuration = configuration
        self.now = now
        var http = HTTPClient.Configuration(redirectConfiguration: .disallow)
        http.timeout = .init(connect: .nanoseconds(configuration.connectTimeout.nanoseconds))
        http.connectionPool = .init(
            idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: configuration.connections)
        http.connectionPool.retryConnectionEstablishment = false
        http.http2StreamChannelDebugInitializer = { EarlyAnswer.wait(in: $0, limit: configuration.answerLimit) }
        if let file = configuration.authorityFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.additionalTrustRoots = [.file(file)]
            http.tlsConfiguration = tls
        }
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
    }

    /// Closes all connections; calls in flight fail. Connections that do not close within five seconds are left: the process
    /// is ending.
    package func shutdown() async {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let closed = loop.makePromise(of: Void.self)
        let close = { @Sendable [client] in try await client.shutdown() }
        loop.makeFutureWithTask(close).cascade(to: closed)
        let limit = loop.scheduleTask(in: .seconds(5)) { closed.succeed() }
        // Nothing can be done about connections that do not close.
        try? await closed.futureResult.get()
        limit.cancel()
    }

    /// See `ProviderCaller`.
    package func call(
        _ step: Step, for claim: Claim, operation: Operation, willSend: @escaping @Sendable () -> Bool
    ) async -> CallResult {
        guard let endpoint = endpoints[operation.provider] else {
            return CallResult(.notSent, mayHaveReached: false, error: "no credentials for \(operation.provider)")
        }
        guard let context = CallContext(claim, now: now()) else {
            return CallResult(.invalidPayload, mayHaveReached: false, error: "the payload cannot be read as JSON")
        }
        if let refusal = refusal(step, context, operation) { return refusal }
        guard let request = request(step, context, operation, endpoint, willSend) else {
            return CallResult(.invalidPayload, mayHaveReached: false, error: operation.missingForPath)
        }
        guard willSend() else {
            return Self.leaseInDoubt
        }
        return await send(request, step, context, operation)
    }

    /// What must not be sent, and why.
    private func refusal(_ step: Step, _ context: CallContext, _ operation: Operation) -> CallResult? {
        let claim = context.claim
        guard Array(SHA256.hash(data: claim.payload ?? [])) == claim.bodySHA256 else {
            return CallResult(
                .invalidPayload, mayHaveReached: false,
                error: "the payload is not the one first claimed: its digest differs")
        }
        // What was sent once is not refused afterwards: its fate must be found out.
        guard step == .create, claim.firstSentAge == nil else { return nil }
        let faults = Contract.of(claim.kind)?.faults(in: context.payload) ?? []
        guard !faults.isEmpty else { return nil }
        let more = faults.count > Self.faultsShown ? "; and \(faults.count - Self.faultsShown) more" : ""
        let list = faults.prefix(Self.faultsShown).map(\.description).joined(separator: "; ")
        return CallResult(.invalidPayload, mayHaveReached: false, error: list + more)
    }

    private static let faultsShown = 5

    private func request(
        _ step: Step, _ context: CallContext, _ operation: Operation, _ endpoint: Endpoint,
        _ willSend: @escaping @Sendable () -> Bool
    ) -> HTTPClient.Request? {
        let claim = context.claim
        let path = step == .create ? operation.createPath(context) : operation.lookUp?.path(context)
        guard let path else { return nil }
        var headers = HTTPHeaders(endpoint.headers.map { ($0.name, $0.value) })
        headers.add(name: "User-Agent", value: "onboard")
        headers.add(name: "Accept", value: "application/json")
        if let trace = claim.traceparent { headers.add(name: "traceparent", value: trace) }
        for (parameter, name) in operation.parameterHeaders {
            if let value = context.parameters[parameter]?.string { headers.add(name: name, value: value) }
        }
        var body: HTTPClient.Body?
        if step == .create {
            headers.add(name: "Content-Type", value: operation.contentType)
            if let name = operation.keyHeader { headers.add(name: name, value: claim.idempotencyKey) }
            body = Self.body(ByteBuffer(bytes: claim.payload ?? []), willSend)
        }
        // A URL that cannot be made is a base URL that start-up should have refused.
        return try? HTTPClient.Request(
            url: endpoint.baseURL + path, method: step == .create ? .POST : .GET, headers: headers, body: body)
    }

    private func send(
        _ request: HTTPClient.Request, _ step: Step, _ context: CallContext, _ operation: Operation
    ) async -> CallResult {
        let exchange = HTTPExchange(limit: configuration.answerLimit)
        do {
            return read(try await answer(to: request, exchange), step, context, operation)
        } catch {
            return lost(error, hasSent: exchange.hasSent, step, operation)
        }
    }

    /// Waits for the whole answer; an error where there is none within the time.
    func answer(to request: HTTPClient.Request, _ exchange: HTTPExchange) async throws -> Answer {
        let task = client.execute(
            request: request, delegate: exchange, deadline: .now() + .nanoseconds(configuration.timeout.nanoseconds))
        do {
            return try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.cancel()
            }
        } catch let early as EarlyAnswer.Complete {
            return early.answer
        }
    }

    private func read(_ answer: Answer, _ step: Step, _ context: CallContext, _ operation: Operation) -> CallResult {
        var result =
            step == .create
            ? operation.creation.read(answer)
            : operation.lookUp?.read(answer, for: context)
                ?? CallResult(.rejected, mayHaveReached: false)
        if result.providerID == nil {
            result.error = result.error ?? Redaction.describe(answer)
            result.retryAfter = RetryAfter.wait(answer.headers, now: now())
        }
        result.requestID = RequestID.find(in: answer, for: context)
        result.providerStatus = Echo.status(result.providerStatus, of: context.payload)
        return result
    }

    /// A body that is written only if `willSend` still agrees.
    ///
    /// Waiting for a connection takes its time, and a process may be stopped meanwhile for longer than its lease. A
    /// request whose body does not come has no effect: its length was announced (RFC 9112, section 6.3).
    private static func body(_ bytes: ByteBuffer, _ willSend: @escaping @Sendable () -> Bool) -> HTTPClient.Body {
        .stream(contentLength: Int64(bytes.readableBytes)) { writer in
            guard willSend() else {
                return MultiThreadedEventLoopGroup.singleton.next().makeFailedFuture(LeaseInDoubt())
            }
            return writer.write(.byteBuffer(bytes))
        }
    }

    private struct LeaseInDoubt: Error {}

    private static let leaseInDoubt = CallResult(
        .notSent, mayHaveReached: false, error: "the worker's lease is in doubt")

    /// What an error without an answer means. Only what certainly came before the first byte is not sent.
    private func lost(_ error: any Error, hasSent: Bool, _ step: Step, _ operation: Operation) -> CallResult {
        if error is LeaseInDoubt { return Self.leaseInDoubt }
        if !hasSent, Self.isBeforeTheFirstByte(error) {
            return CallResult(.notSent, mayHaveReached: false, error: "no connection: \(Self.name(error))")
        }
        let outcome = step == .create ? operation.creation.lostAnswer : .unavailable
        return CallResult(outcome, mayHaveReached: step == .create, error: "no answer: \(Self.name(error))")
    }

    private static func isBeforeTheFirstByte(_ error: any Error) -> Bool {
        if error is NIOConnectionError || error is NIOSSLError || error is BoringSSLError { return true }
        if let error = error as? HTTPClientError {
            return [.connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout, .httpProxyHandshakeTimeout]
                .contains(error)
        }
        // Refused, unreachable: the channel never was.
        return (error as? IOError).map { $0.errnoCode != 0 } ?? false
    }

    /// The kind of error alone: descriptions may hold addresses and more.
    private static func name(_ error: any Error) -> String {
        (error as? HTTPClientError)?.shortDescription ?? String(describing: type(of: error))
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
