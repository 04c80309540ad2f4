import AsyncHTTPClient
import Contracts
import Crypto
import FoundationEssentials
package import JobModel
package import Kinds
import NIOCore
import NIOPosix

/// Calls providers over HTTP/1.1. Keeps connections open between calls; follows no redirect and repeats nothing.
///
/// Not over HTTP/2: there, many requests share a connection, and the kernel cannot tell whether one of them has left.
package final class HTTPProviderCaller: ProviderCaller {
    /// How calls are made.
    package struct Configuration: Sendable {
        /// The longest that a whole call may take.
        package var timeout: Duration
        /// The longest that connecting may take.
        package var connectTimeout: Duration
        /// How many connections to one provider are kept.
        package var connections: Int
        /// The longest answer that is taken, in bytes, beside what it may repeat of the payload.
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

    let configuration: Configuration
    /// Keeps connections.
    let client: HTTPClient
    /// Uses each connection once.
    let freshClient: HTTPClient
    let exchanges = WaitingExchanges()
    private let endpoints: EndpointSource
    private let now: @Sendable () -> Date

    /// Takes the endpoints of the providers that are served. The caller ends with `shutdown`.
    package convenience init(endpoints: [Endpoint], configuration: Configuration = Configuration()) {
        self.init(endpoints: EndpointSource(endpoints), configuration: configuration)
    }

    /// The same with endpoints that may change.
    package convenience init(endpoints: EndpointSource, configuration: Configuration) {
        self.init(endpoints: endpoints, configuration: configuration, now: { Date() })
    }

    init(endpoints: EndpointSource, configuration: Configuration, now: @escaping @Sendable () -> Date) {
        self.endpoints = endpoints
        self.configuration = configuration
        self.now = now
        var http = Self.clientConfiguration(configuration, exchanges)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
        http.maximumUsesPerConnection = 1
        freshClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
    }

    /// Closes all connections; calls in flight fail. Connections that do not close within five seconds are left: the process
    /// is ending.
    package func shutdown() async {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let closed = loop.makePromise(of: Void.self)
        let close = { @Sendable [client, freshClient] in
            // Each is to be shut down, whatever becomes of the other.
            async let first: Void? = try? client.shutdown()
            async let second: Void? = try? freshClient.shutdown()
            _ = await (first, second)
        }
        loop.makeFutureWithTask(close).cascade(to: closed)
        let limit = loop.scheduleTask(in: .seconds(5)) { closed.succeed() }
        // Nothing can be done about connections that do not close.
        try? await closed.futureResult.get()
        limit.cancel()
    }

    /// See `ProviderCaller`.
    package func call(
        _ step: Step, for claim: Claim, as definition: KindDefinition, willSend: @escaping @Sendable () -> Bool
    ) async -> CallResult {
        guard let endpoint = endpoints.endpoint(of: definition.provider) else {
            return CallResult(.notSent, mayHaveReached: false, error: "no credentials for \(definition.provider)")
        }
        guard let context = CallContext(claim, definition, now: now()) else {
            return CallResult(.invalidPayload, mayHaveReached: false, error: "the payload cannot be read as JSON")
        }
        if let refusal = refusal(step, context) { return refusal }
        let call = HTTPCall(
            context: context, endpoint: endpoint, willSend: willSend,
            deadline: .now() + .nanoseconds(configuration.timeout.nanoseconds))
        let result = await carryOut(step, call)
        // A refused key proves that nothing was done, and a new one may be there already.
        guard result.outcome == .unauthorized, let renewed = endpoints.replacement(of: endpoint) else { return result }
        return await carryOut(step, HTTPCall(call, endpoint: renewed))
    }

    private func carryOut(_ step: Step, _ call: HTTPCall) async -> CallResult {
        let (definition, context) = (call.definition, call.context)
        let claim = context.claim
        guard let request = definition.creationRequest(context) else {
            return CallResult(.invalidPayload, mayHaveReached: false, error: context.missingForPath)
        }
        // A look-up as well: with another path it would ask for another record.
        let digest = request.digest(bodySHA256: claim.bodySHA256)
        guard claim.requestSHA256 ?? digest == digest else { return Self.anotherRequest(definition) }
        guard step == .create else { return await lookUp(call) }
        var result = await create(request, call)
        result.requestSHA256 = digest
        return result
    }

    private func create(_ request: ProviderRequest, _ call: HTTPCall) async -> CallResult {
        guard call.willSend() else { return Self.leaseInDoubt }
        let (ending, exchange) = await send(request, call, reads: { CreationReader.read($0, for: call.context) })
        switch ending {
        case .read(var result, let answer):
            complete(&result, answer, call)
            return exchange.hasSent ? result : beforeTheEnd(result, call)
        case .failed(let error):
            guard exchange.hasSent || error is RequestGate.AnsweredEarly else {
                return Self.notSent(error, call.endpoint)
            }
            let outcome = error is RequestGate.AnsweredEarly ? .ambiguous : call.definition.policy.lostAnswer
            return CallResult(outcome, mayHaveReached: true, error: "no answer: \(Self.name(error))")
        }
    }

    /// The answer to a request whose last piece was never written: whatever it says, nothing came of the request.
    private func beforeTheEnd(_ result: CallResult, _ call: HTTPCall) -> CallResult {
        var result = result
        result.mayHaveReached = false
        if result.outcome == .ambiguous, call.definition.policy.resend == .never { result.outcome = .notSent }
        return result
    }

    private func lookUp(_ call: HTTPCall) async -> CallResult {
        guard let lookUp = call.definition.lookUp, let first = call.context.lookUpPath else {
            return CallResult(.invalidPayload, mayHaveReached: false, error: call.context.missingForPath)
        }
        guard call.willSend() else { return Self.leaseInDoubt }
        var path = first
        var paths: Set<String> = [first]
        var body: JSONValue?
        for page in 1...Pages.limit {
            let request = call.definition.lookUpRequest(path, call.context)
            let earlier = body
            let (ending, exchange) = await send(request, call) { answer in
                let joined = answer.json.map { lookUp.pages?.joined(earlier, $0) ?? $0 }
                return lookUp.read(answer, joined, for: call.context)
            }
            switch ending {
            case .failed(let error):
                guard exchange.hasSent else { return Self.notSent(error, call.endpoint) }
                return CallResult(.unavailable, mayHaveReached: false, error: "no answer: \(Self.name(error))")
            case .read(var result, let answer):
                complete(&result, answer, call)
                guard page < Pages.limit, answer.status == 200, let pages = lookUp.pages, let json = answer.json,
                    let next = pages.next(after: json, of: first), paths.insert(next).inserted
                else { return result }
                body = pages.joined(earlier, json)
                path = next
            }
        }
        return CallResult(.unavailable, mayHaveReached: false)
    }

    /// What every answer tells beside what its reader took from it.
    private func complete(_ result: inout CallResult, _ answer: Answer, _ call: HTTPCall) {
        if result.providerID == nil {
            result.error = result.error ?? Redaction(call.definition).describe(answer)
            result.retryAfter = RetryAfter.wait(answer.headers, now: now())
        }
        result.requestID = RequestID.find(in: answer, for: call.context)
        result.providerStatus = Echo.status(result.providerStatus, of: call.context)
    }

    // MARK: - What must not be sent

    private func refusal(_ step: Step, _ context: CallContext) -> CallResult? {
        let claim = context.claim
        guard Array(SHA256.hash(data: claim.payload ?? [])) == claim.bodySHA256 else {
            return CallResult(
                .invalidPayload, mayHaveReached: false,
                error: "the payload is not the one first claimed: its digest differs")
        }
        // What was sent once is not refused afterwards: its fate must be found out.
        guard step == .create, claim.firstSentAge == nil else { return nil }
        let (count, faults) = context.definition.contract.faults(in: context.payload, keeping: Self.faultsShown)
        guard count > 0 else { return nil }
        let more = count > faults.count ? "; and \(count - faults.count) more" : ""
        let list = faults.map(\.description).joined(separator: "; ")
        return CallResult(.invalidPayload, mayHaveReached: false, error: list + more)
    }

    private static let faultsShown = 5

    private static func anotherRequest(_ definition: KindDefinition) -> CallResult {
        CallResult(
            .invalidPayload, mayHaveReached: false,
            error: "the request's path or headers are not those first sent: "
                + "\(definition.parameters.joined(separator: " or ")) has changed")
    }

    static let leaseInDoubt = CallResult(.notSent, mayHaveReached: false, error: "the worker's lease is in doubt")

    /// A request whose last piece was not written.
    private static func notSent(_ error: any Error, _ endpoint: Endpoint) -> CallResult {
        if error is RequestGate.LeaseInDoubt { return leaseInDoubt }
        if let failure = ConnectionFailure(error, endpoint) {
            return CallResult(.notSent, mayHaveReached: false, error: "no connection: \(failure.sentence)")
        }
        return CallResult(.notSent, mayHaveReached: false, error: "not sent to its end: \(name(error))")
    }

    /// The kind of error alone, since descriptions may hold more.
    private static func name(_ error: any Error) -> String {
        (error as? HTTPClientError)?.shortDescription ?? String(describing: type(of: error))
    }
}

extension Duration {
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
