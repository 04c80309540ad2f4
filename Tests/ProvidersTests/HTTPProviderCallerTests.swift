import AsyncHTTPClient
import Contracts
import Glibc
import JobModel
import Kinds
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import Simulator
import Testing

@testable import Providers

/// The transport against a real server, with everything that can happen to a call.
@Suite struct HTTPProviderCallerTests {
    private func call(
        _ caller: HTTPProviderCaller, _ kind: String, _ step: Step = .create, claim: Claim? = nil
    ) async -> CallResult {
        await caller.call(step, for: claim ?? Sample.claim(kind), as: Sample.definition(kind)) { true }
    }

    private func fault(_ json: String) throws -> SimulatorConfiguration {
        var configuration = SimulatorConfiguration()
        configuration.faults = try FaultRule.list(JSONValue(parsing: Array(json.utf8)))
        return configuration
    }

    @Test(arguments: [
        "iron.customer.create", "connect.individual.create", "axisfi.customer.create", "juicyway.customer.create",
    ])
    func `each kind is created, and found again where it can be`(kind: String) async throws {
        try await withSimulator { caller, _ in
            let created = await call(caller, kind)
            #expect(created.outcome == .succeeded)
            guard Sample.definition(kind).lookUp != nil else { return }
            let found = await call(caller, kind, .lookUp)
            #expect(found.outcome == .adopted)
            #expect(found.providerID == created.providerID)
        }
    }

    @Test func `an identification goes to its customer, and a second one is a conflict`() async throws {
        try await withSimulator { caller, _ in
            let customer = await call(caller, "iron.customer.create")
            var claim = Sample.claim("iron.identification.create", key: "8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a12")
            claim.afterProviderID = customer.providerID
            #expect(await call(caller, "iron.identification.create", claim: claim).outcome == .succeeded)
            claim.idempotencyKey = "8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a13"
            let second = await call(caller, "iron.identification.create", claim: claim)
            #expect(second.outcome == .ambiguous)
            #expect(second.httpStatus == 409)
            #expect(await call(caller, "iron.identification.create", .lookUp, claim: claim).outcome == .adopted)
            var link = Sample.claim("iron.identification.create", payload: #"{"type": "Link"}"#)
            link.afterProviderID = customer.providerID
            #expect(await call(caller, "iron.identification.create", claim: link).httpStatus == 409)
            link.afterProviderID = nil
            let lost = await call(caller, "iron.identification.create", claim: link)
            #expect(lost.outcome == .invalidPayload)
            #expect(lost.error?.contains("customer_id") == true)
        }
    }

    @Test func `a resend under the same key brings the same record`() async throws {
        try await withSimulator(fault(#"[{"provider": "iron", "first": 1, "fault": "lost_answer"}]"#)) { caller, _ in
            let lost = await call(caller, "iron.customer.create")
            #expect(lost.outcome == .unavailable)
            #expect(lost.mayHaveReached)
            let again = await call(caller, "iron.customer.create")
            let found = await call(caller, "iron.customer.create", .lookUp)
            #expect(again.outcome == .succeeded)
            #expect(again.providerID == found.providerID)
        }
    }

    @Test(arguments: ["lost_answer", "cut", "half_body"])
    func `a broken answer leaves open what happened`(kind: String) async throws {
        try await withSimulator(fault(#"[{"fault": "\#(kind)"}]"#)) { caller, _ in
            for kind in ["iron.customer.create", "connect.individual.create"] {
                let result = await call(caller, kind)
                #expect(result.outcome == (kind.hasPrefix("connect") ? .ambiguous : .unavailable))
                #expect(result.mayHaveReached)
            }
        }
    }

    @Test(arguments: ["gzip", "byte_order_mark", "latin1", "close_idle", "stray"])
    func `an odd answer brings its id, and the next call its own`(name: String) async throws {
        try await withSimulator(fault(#"[{"fault": "\#(name)", "method": "POST", "milliseconds": 1}]"#)) { caller, _ in
            for number in 10..<15 {
                let payload =
                    #"{"email": "ada\#(number)@example.com", "customer_type": "Person", "external_id": "\#(number)"}"#
                let claim = Sample.claim(
                    "iron.customer.create", payload: payload, key: "8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a\(number)")
                let created = await call(caller, "iron.customer.create", claim: claim)
                #expect(created.outcome == .succeeded)
                var found = await call(caller, "iron.customer.create", .lookUp, claim: claim)
                // It may meet the stray answer, or the end of the connection.
                if found.outcome == .unavailable {
                    found = await call(caller, "iron.customer.create", .lookUp, claim: claim)
                }
                #expect(found.outcome == .adopted)
                #expect(found.providerID == created.providerID)
                #expect(await call(caller, "connect.individual.create").outcome == .succeeded)
            }
        }
    }

    @Test(arguments: ["broken_gzip", "unknown_coding", "wrong_id", "wrong_content_type", "no_id"])
    func `an answer without a readable id is ambiguous`(name: String) async throws {
        try await withSimulator(fault(#"[{"fault": "\#(name)", "method": "POST"}]"#)) { caller, _ in
            for kind in ["iron.customer.create", "connect.individual.create"] {
                let result = await call(caller, kind)
                #expect(result.outcome == .ambiguous)
                #expect(result.isUnreadable)
                #expect(result.mayHaveReached)
            }
        }
    }

    @Test func `AxisFi's 200 without data says that there is none`() async throws {
        try await withSimulator(fault(#"[{"fault": "null_data"}]"#)) { caller, _ in
            #expect(await call(caller, "axisfi.customer.create", .lookUp).outcome == .notFound)
            #expect(await call(caller, "axisfi.customer.create").outcome == .succeeded)
            #expect(await call(caller, "axisfi.customer.create", .lookUp).outcome == .adopted)
        }
    }

    @Test func `a call that hangs ends at its time`() async throws {
        let clock = ContinuousClock()
        try await withSimulator(fault(#"[{"fault": "hang", "seconds": 30}]"#), timeout: .milliseconds(500)) {
            caller, _ in
            let start = clock.now
            let result = await call(caller, "connect.individual.create")
            #expect(result.outcome == .ambiguous)
            #expect(clock.now - start < .seconds(20))
        }
    }

    @Test func `no redirect is followed`() async throws {
        try await withSimulator(fault(#"[{"fault": "redirect"}]"#)) { caller, _ in
            #expect(await call(caller, "iron.customer.create").outcome == .ambiguous)
            #expect(await call(caller, "iron.customer.create", .lookUp).outcome == .unavailable)
        }
    }

    @Test func `an answer without end is not read to its end`() async throws {
        try await withSimulator(answerLimit: 0) { caller, _ in
            let result = await call(caller, "iron.customer.create")
            #expect(result.outcome == .ambiguous)
            #expect(result.isUnreadable)
            #expect(result.httpStatus == 201)
            #expect(result.mayHaveReached)
        }
    }

    @Test(arguments: [#"{"fault": "endless_body"}"#, #"{"fault": "slow_body", "milliseconds": 100}"#])
    func `an answer that does not end is given up, by its size or its time`(rule: String) async throws {
        let clock = ContinuousClock()
        try await withSimulator(fault("[\(rule)]"), timeout: .seconds(2)) { caller, _ in
            let start = clock.now
            let result = await call(caller, "connect.individual.create")
            #expect(result.outcome == .ambiguous)
            #expect(result.mayHaveReached)
            #expect(clock.now - start < .seconds(60))
        }
    }

    @Test func `a lease that ends while a connection is made stops the request before its body`() async throws {
        try await withSimulator { caller, base in
            for kind in ["iron.customer.create", "connect.individual.create", "axisfi.customer.create"] {
                let asked = NIOLockedValueBox(0)
                let result = await caller.call(.create, for: Sample.claim(kind), as: Sample.definition(kind)) {
                    // Yes at first, no when the connection stands.
                    asked.withLockedValue { count in
                        count += 1
                        return count == 1
                    }
                }
                #expect(asked.withLockedValue { $0 } == 2)
                #expect(result.outcome == .notSent)
                #expect(!result.mayHaveReached)
            }
            #expect(await call(caller, "iron.customer.create", .lookUp).outcome == .notFound)
            #expect(await call(caller, "iron.customer.create").outcome == .succeeded)
        }
    }

    @Test func `what found no connection was not sent`() async throws {
        let caller = HTTPProviderCaller(endpoints: endpoints("http://127.0.0.1:1"))
        let refused = await call(caller, "connect.individual.create")
        #expect(refused.outcome == .notSent)
        #expect(!refused.mayHaveReached)
        #expect(refused.error == "no connection: 127.0.0.1:1: connection refused")
        await caller.shutdown()
        let nowhere = HTTPProviderCaller(endpoints: endpoints("http://no-such-host.invalid"))
        let unknown = await call(nowhere, "connect.individual.create")
        #expect(unknown.outcome == .notSent)
        #expect(unknown.error == "no connection: no-such-host.invalid:80: no such host")
        await nowhere.shutdown()
    }

    @Test func `what connecting failed with is told in an operator's words, with the place`() {
        let endpoint = endpoints("https://[::1]:8443")[0]
        let causes: [(any Error, String?)] = [
            (HTTPClientError.connectTimeout, "timeout"), (HTTPClientError.tlsHandshakeTimeout, "TLS: timeout"),
            (ChannelError.connectTimeout(.seconds(5)), "timeout"),
            (IOError(errnoCode: ETIMEDOUT, reason: "x"), "timeout"),
            (IOError(errnoCode: ENETUNREACH, reason: "x"), "network is unreachable"),
            (NIOSSLExtraError.failedToValidateHostname, "TLS: the certificate is of another host"),
            (HTTPClientError.readTimeout, nil),
        ]
        for (error, cause) in causes {
            #expect(ConnectionFailure(error, endpoint)?.sentence == cause.map { "[::1]:8443: \($0)" })
        }
    }

    @Test func `a key that was refused is replaced by what is there now, and the call goes on`() async throws {
        try await withSimulator { _, base in
            let told = NIOLockedValueBox(0)
            let right = endpoints(base).filter { $0.provider == Sample.definition("iron.customer.create").provider }
            let old = right.map { endpoint in
                Endpoint(
                    Registry.shipped.providers[0], baseURL: endpoint.baseURL, settings: ["API_KEY": "old"])
            }
            let source = EndpointSource(old) { _ in
                told.withLockedValue { $0 += 1 }
            } read: {
                right
            }
            let caller = HTTPProviderCaller(endpoints: source, configuration: .init())
            #expect(await call(caller, "iron.customer.create").outcome == .succeeded)
            #expect(told.withLockedValue { $0 } == 1)
            await caller.shutdown()
            let steady = HTTPProviderCaller(endpoints: old)
            #expect(await call(steady, "iron.customer.create").outcome == .unauthorized)
            await steady.shutdown()
        }
    }

    @Test func `a port that speaks no TLS was not sent to`() async throws {
        try await withSimulator { _, base in
            let caller = HTTPProviderCaller(endpoints: endpoints(base.replacing("http://", with: "https://")))
            let result = await call(caller, "connect.individual.create")
            #expect(result.outcome == .notSent)
            await caller.shutdown()
        }
    }

    @Test func `a body that is not the one first claimed is not sent`() async throws {
        try await withSimulator { caller, _ in
            var claim = Sample.claim("iron.customer.create")
            claim.payload = Array(#"{"email": "eve@example.com", "customer_type": "Person"}"#.utf8)
            let asked = NIOLockedValueBox(false)
            let result = await caller.call(.create, for: claim, as: Sample.definition("iron.customer.create")) {
                asked.withLockedValue { $0 = true }
                return true
            }
            #expect(result.outcome == .invalidPayload)
            #expect(result.error?.contains("digest") == true)
            #expect(asked.withLockedValue { $0 } == false)
        }
    }

    @Test func `a payload that breaks its contract is not sent, but what was sent once is followed up`() async throws {
        try await withSimulator { caller, _ in
            var claim = Sample.claim("iron.customer.create", payload: #"{"customer_type": "Robot", "email": "a@b"}"#)
            let refused = await call(caller, "iron.customer.create", claim: claim)
            #expect(refused.outcome == .invalidPayload)
            #expect(refused.error == "/customer_type must be one of 2 values: Business, Person")
            claim.firstSentAge = .seconds(1)
            #expect(await call(caller, "iron.customer.create", claim: claim).outcome == .rejected)
        }
    }

    @Test func `a worker in doubt sends nothing`() async throws {
        try await withSimulator { caller, _ in
            let result = await caller.call(
                .create, for: Sample.claim("iron.customer.create"), as: Sample.definition("iron.customer.create")
            ) { false }
            #expect(result.outcome == .notSent)
            #expect(await call(caller, "iron.customer.create", .lookUp).outcome == .notFound)
        }
    }

    @Test func `a throttle's wish is read from a real answer`() async throws {
        try await withSimulator(fault(#"[{"fault": "throttle", "seconds": 40, "as_date": true}]"#)) { caller, _ in
            let result = await call(caller, "juicyway.customer.create")
            #expect(result.outcome == .throttled)
            // Against the server's own clock in the same answer, which a busy machine lets lag.
            #expect(result.retryAfter.map { (.seconds(10)...(.seconds(90))).contains($0) } == true)
        }
    }

    @Test func `no description shows a secret`() {
        for endpoint in endpoints("http://127.0.0.1:1") {
            #expect(!"\(endpoint)".contains("sandbox"))
        }
    }
}
