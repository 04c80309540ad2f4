import JobModel
import JobQueue
import Kinds
import Providers
import Simulator
import Testing

/// A provider that only this folder knows, from INSERT to the stored result.
@Suite(.timeLimit(.minutes(5))) struct SixthProviderTests {
    private static let registry = Registry(Registry.shipped.providers + [.tangerine])
    private static let licence = "Ada-Lovelace-9"

    /// A bench whose database knows the provider, and a caller with a simulator that plays it.
    private func withTangerine(
        _ faults: [FaultRule] = [], _ body: (Bench, HTTPProviderCaller) async throws -> Void
    ) async throws {
        var configuration = SimulatorConfiguration()
        configuration.registry = Self.registry
        configuration.faults = faults
        let server = try SimulatorServer(configuration)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        try await withBench { bench in
            _ = try await SchemaMigrator(bench.connection, registry: Self.registry).migrate()
            try await withThrowingTaskGroup { group in
                group.addTask { try await server.run { continuation.yield($0) } }
                var iterator = ports.makeAsyncIterator()
                let port = try #require(await iterator.next())
                let endpoint = Endpoint(
                    .tangerine, baseURL: "http://127.0.0.1:\(port)/tangerine/gateway",
                    settings: ["TOKEN": SimulatorKeys().value(of: "TOKEN"), "TOKEN_SCHEME": "Token"])
                let caller = HTTPProviderCaller(endpoints: [endpoint], configuration: .init(timeout: .seconds(5)))
                var failure: (any Error)?
                do { try await body(bench, caller) } catch { failure = error }
                await caller.shutdown()
                group.cancelAll()
                // The server ends with its cancellation.
                try? await group.waitForAll()
                if let failure { throw failure }
            }
        }
    }

    private func fault(_ fault: FaultRule.Fault, status: Int = 500) -> FaultRule {
        var rule = FaultRule(fault)
        rule.provider = "tangerine"
        rule.method = "POST"
        rule.first = 1
        rule.status = status
        return rule
    }

    @Test func `a job goes over a failed attempt and two look-ups to its result, and its outlet follows`() async throws
    {
        try await withTangerine([fault(.status, status: 503), fault(.lostAnswer)]) { bench, caller in
            let horizon = "SELECT extract(epoch FROM effect_horizon)::int || ' ' || max_in_flight"
            #expect(
                try await bench.value("\(horizon) FROM onboarding.providers WHERE provider = 'tangerine'") == "90 7")
            try await bench.run(
                """
                UPDATE onboarding.providers SET effect_horizon = '1 s' WHERE provider = 'tangerine';
                WITH merchant AS (
                    SELECT onboarding.enqueue('tangerine.merchant.create',
                        '{"merchant_ref": "ref-1", "trading_licence": "\(Self.licence)"}') AS id)
                SELECT onboarding.enqueue('tangerine.outlet.create', '{"street": "Road 1"}', after_job_id => id) FROM merchant;
                """)
            // The transaction notified whoever listens, by the sequence that the definition brought.
            #expect(try await bench.value("pg_sequence_last_value('onboarding.last_wakeup_tangerine') > 1") == "true")
            try await bench.with([bench.daemon(caller, registry: Self.registry)]) {
                let end = ContinuousClock.now + .seconds(60)
                while try await bench.states() != "completed=2", ContinuousClock.now < end {
                    try await bench.run(
                        "UPDATE onboarding.jobs SET run_at = now() WHERE state = 'available' AND run_at > now()")
                    try await Task.sleep(for: .milliseconds(200))
                }
            }
            #expect(try await bench.states() == "completed=2")
            let row =
                "SELECT provider_id ~ '^m-[0-9a-f]{32}$' AND provider_status = 'Dormant' AND last_outcome = 'adopted'"
            #expect(try await bench.value("\(row) FROM onboarding.jobs WHERE id = 1") == "true")
            let steps = try await bench.value(
                "SELECT string_agg(DISTINCT step || ' ' || outcome, ', ' ORDER BY step || ' ' || outcome) "
                    + "FROM onboarding.attempts WHERE job_id = 1")
            #expect(steps == "create unavailable, look_up adopted, look_up not_found")
            let outlet = "SELECT kind || ' ' || (provider_id IS NOT NULL) FROM onboarding.jobs WHERE id = 2"
            #expect(try await bench.value(outlet) == "tangerine.outlet.create true")
        }
    }

    @Test func `an error shows the provider's own words and no value`() async throws {
        try await withTangerine { bench, caller in
            for name in ["Ada", "Bob"] {
                try await bench.enqueue(
                    "tangerine.merchant.create", #"{"merchant_ref": "ref-1", "trading_licence": "\#(name)"}"#)
                try await bench.drain(caller, registry: Self.registry)
            }
            let error = "SELECT error FROM onboarding.attempts WHERE job_id = 2 AND http_status = 409"
            #expect(try await bench.value(error) == "HTTP 409 conflict trading_licence of … already exists")
        }
    }

    @Test(arguments: [
        (#"{"merchant_ref": "ref-1"}"#, "{}", "payload lacks the field trading_licence"),
        (#"{"merchant_ref": "r", "trading_licence": "x"}"#, "{}", "is wrong in merchant_ref"),
        (#"{"merchant_ref": "ref-1", "trading_licence": "x"}"#, #"{"colour": "c"}"#, "customer_id, merchant_no, sub_"),
    ])
    func `INSERT checks it by its definition`(payload: String, parameters: String, problem: String) async throws {
        try await withBench { bench in
            _ = try await SchemaMigrator(bench.connection, registry: Self.registry).migrate()
            let error = await #expect(throws: (any Error).self) {
                try await bench.run(
                    "SELECT onboarding.enqueue('tangerine.merchant.create', '\(payload)', parameters => '\(parameters)')"
                )
            }
            #expect("\(error.map { "\($0)" } ?? "")".contains(problem), "\(String(describing: error))")
        }
    }
}
