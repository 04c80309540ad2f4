import Crypto
import FoundationEssentials
import JobModel
import Kinds
import NIOConcurrencyHelpers
import Simulator
import Testing

@testable import Providers

/// Payloads that every simulated provider takes.
enum Sample {
    static let payloads: [String: String] = [
        "iron.customer.create": #"{"email": "ada@example.com", "external_id": "user 4/2", "customer_type": "Person"}"#,
        "iron.identification.create": #"{"type": "Direct"}"#,
        "connect.individual.create":
            #"{"basicData": {"firstName": "Ada"}, "taxInformation": {}, "identification": {}, "mainAddress": {}}"#,
        "axisfi.customer.create":
            #"{"partner_customer_id": "partner-0000000000001", "business_details": {}, "registration_address": {}}"#,
        "juicyway.customer.create":
            #"{"first_name": "Ada", "last_name": "Test", "email": "ada+1@example.com", "phone": "+1", "type": "individual", "billing_address": {"line1": "1", "city": "c", "state": "s", "zip_code": "z", "country": "NG"}}"#,
    ]

    static func claim(
        _ kind: String, payload: String? = nil, parameters: String = "{}",
        key: String = "8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a11"
    ) -> Claim {
        let body = Array((payload ?? payloads[kind] ?? "{}").utf8)
        var claim = Claim(
            id: JobID(1), token: ClaimToken(1), kind: JobKind(kind), idempotencyKey: key, payload: body,
            payloadBytes: body.count, bodySHA256: Array(SHA256.hash(data: body)))
        claim.parameters = Array(parameters.utf8)
        return claim
    }

    static func definition(_ kind: String) -> KindDefinition {
        guard let definition = Registry.shipped[JobKind(kind)] else { preconditionFailure("no kind \(kind)") }
        return definition
    }

    /// The claim with its definition, read.
    static func context(_ claim: Claim, now: Date = .distantPast) throws -> CallContext {
        try #require(CallContext(claim, definition(claim.kind.value), now: now))
    }

    static func context(_ kind: String, payload: String? = nil, parameters: String = "{}") throws -> CallContext {
        try context(claim(kind, payload: payload, parameters: parameters))
    }

    static func answer(_ status: Int, _ body: String = "", headers: [String: String] = [:]) -> Answer {
        Answer(status: status, headers: headers, body: Array(body.utf8))
    }
}

/// Runs a simulator on a free port and a caller that knows it.
func withSimulator(
    _ configuration: SimulatorConfiguration = .init(), timeout: Duration = .seconds(60), answerLimit: Int = 4 << 20,
    _ body: (HTTPProviderCaller, String) async throws -> Void
) async throws {
    let server = try SimulatorServer(configuration)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup { group in
        group.addTask { try await server.run { continuation.yield($0) } }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { return }
        let base = "http://127.0.0.1:\(port)"
        let caller = HTTPProviderCaller(
            endpoints: endpoints(base), configuration: .init(timeout: timeout, answerLimit: answerLimit))
        do {
            try await body(caller, base)
        } catch {
            await caller.shutdown()
            group.cancelAll()
            throw error
        }
        await caller.shutdown()
        group.cancelAll()
    }
}

func endpoints(_ base: String) -> [Endpoint] {
    Registry.shipped.providers.map {
        Endpoint(
            $0, baseURL: "\(base)/\($0.name)\($0.simulation.basePath)/", settings: SimulatorKeys().settings(of: $0))
    }
}
