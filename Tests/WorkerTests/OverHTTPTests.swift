import Foundation
import JobModel
import Kinds
import Providers
import Simulator
import Testing

@testable import Worker

/// The worker with the real caller against the simulated providers: the ledger of effects decides.
@Suite struct OverHTTPTests {
    /// Runs a simulator with `faults` while `body` runs; gives it a caller and the path of the ledger.
    private func withSimulator(
        _ faults: [FaultRule], _ body: (HTTPProviderCaller, String) async throws -> Void
    ) async throws {
        var configuration = SimulatorConfiguration()
        configuration.faults = faults
        let ledger = NSTemporaryDirectory() + "/onboard-ledger-\(UUID().uuidString)"
        configuration.ledgerFile = ledger
        defer { try? FileManager.default.removeItem(atPath: ledger) }  // A file left behind harms nobody.
        let keys = configuration.keys
        let server = try SimulatorServer(configuration)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run { continuation.yield($0) } }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let base = "http://127.0.0.1:\(port)"
            let caller = HTTPProviderCaller(
                endpoints: Registry.shipped.providers.map {
                    Endpoint(
                        $0, baseURL: "\(base)/\($0.name)\($0.simulation.basePath)", settings: keys.settings(of: $0))
                },
                configuration: .init(timeout: .seconds(5)))
            var failure: (any Error)?
            do { try await body(caller, ledger) } catch { failure = error }
            await caller.shutdown()
            group.cancelAll()
            // The server ends with its cancellation.
            try? await group.waitForAll()
            if let failure { throw failure }
        }
    }

    private func enqueueCustomers(_ bench: Bench, count: Int) async throws {
        try await bench.run(
            """
            INSERT INTO onboarding.jobs (kind, payload)
            SELECT 'iron.customer.create', jsonb_build_object('customer_type', 'Person', 'email', n || '@example.com',
                'name', 'Ada', 'external_id', 'user-' || n) FROM generate_series(1, \(count)) AS n
            """)
    }

    private func effects(_ ledger: String) throws -> [Substring] {
        try String(contentsOfFile: ledger, encoding: .utf8).split(separator: "\n")
    }

    @Test func `every job has one effect when nothing goes wrong`() async throws {
        try await withBench { bench in
            try await enqueueCustomers(bench, count: 100)
            try await withSimulator([]) { caller, ledger in
                try await bench.drain(caller)
                #expect(try await bench.states() == "completed=100")
                #expect(try effects(ledger).count == 100)
            }
        }
    }

    @Test func `answers lost after the effect, cuts and errors leave one effect a job`() async throws {
        var lost = FaultRule(.lostAnswer)
        lost.every = 4
        lost.method = "POST"
        var cut = FaultRule(.cut)
        cut.every = 5
        var unavailable = FaultRule(.status)
        unavailable.status = 503
        unavailable.every = 7
        try await withBench { bench in
            try await enqueueCustomers(bench, count: 60)
            try await withSimulator([lost, cut, unavailable]) { caller, ledger in
                try await bench.with([bench.daemon(caller), bench.daemon(caller)]) {
                    let end = ContinuousClock.now + .seconds(40)
                    while try await bench.states() != "completed=60", ContinuousClock.now < end {
                        // Waits between attempts are the provider's matter, not this test's.
                        try await bench.run(
                            "UPDATE onboarding.jobs SET run_at = now() WHERE state = 'available' AND run_at > now()")
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                #expect(try await bench.states() == "completed=60")
                let lines = try effects(ledger)
                #expect(lines.count == 60)
                let failures = try await bench.value(
                    "SELECT count(*) > 20 FROM onboarding.attempts WHERE outcome <> 'succeeded'")
                #expect(failures == "true")
                for line in lines {
                    let id = try #require(line.firstMatch(of: /"provider_id": ?"([^"]+)"/)).1
                    #expect(
                        try await bench.value("SELECT count(*) FROM onboarding.jobs WHERE provider_id = '\(id)'") == "1"
                    )
                }
            }
        }
    }

    @Test func `connections that close between calls leave no job that cannot be sent again in doubt`() async throws {
        let closing = FaultRule(.closeIdle)
        try await withBench { bench in
            try await bench.enqueue("connect.individual.create", Bench.connect, count: 40)
            try await enqueueCustomers(bench, count: 40)
            try await withSimulator([closing]) { caller, ledger in
                try await bench.drain(caller) { $0.concurrency = 2 }
                #expect(try await bench.states() == "completed=80")
                #expect(try effects(ledger).count == 80)
            }
        }
    }

    @Test func `stray answers complete no job with another's record`() async throws {
        var stray = FaultRule(.stray)
        stray.method = "POST"
        stray.every = 3
        try await withBench { bench in
            try await enqueueCustomers(bench, count: 40)
            try await withSimulator([stray]) { caller, ledger in
                try await bench.with([bench.daemon(caller)]) {
                    let end = ContinuousClock.now + .seconds(40)
                    while try await bench.states() != "completed=40", ContinuousClock.now < end {
                        try await bench.run(
                            "UPDATE onboarding.jobs SET run_at = now() WHERE state = 'available' AND run_at > now()")
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                #expect(try await bench.states() == "completed=40")
                #expect(try effects(ledger).count == 40)
                #expect(try await bench.value("SELECT count(DISTINCT provider_id) FROM onboarding.jobs") == "40")
            }
        }
    }
}
