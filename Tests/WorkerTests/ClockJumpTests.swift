import JobModel
import NIOConcurrencyHelpers
import Postgres
import Providers
import TestKit
import Testing

@testable import Worker

/// Workers on a database whose clock jumps.
@Suite(.serialized) struct ClockJumpTests {
    private func withBench(_ body: (Bench, PostgresServer) async throws -> Void) async throws {
        try await withOwnServer(hasMovableClock: true) { connectionString, server in
            let database = ConnectionConfiguration(connectionString: connectionString)
            let connection = try await Connection.open(database)
            var failure: (any Error)?
            do {
                try await body(Bench(database: database, connection: connection), server)
            } catch { failure = error }
            await connection.close()
            if let failure { throw failure }
        }
    }

    /// Creates the record `delay` after the first request that creates, which it leaves unanswered, and finds it from then on.
    private func late(by delay: Duration) -> ScriptedCaller {
        let landing = NIOLockedValueBox<ContinuousClock.Instant?>(nil)
        return ScriptedCaller { step, claim in
            if step == .create {
                landing.withLockedValue { if $0 == nil { $0 = .now + delay } }
                return CallResult(.unavailable, mayHaveReached: true)
            }
            guard landing.withLockedValue({ $0.map { $0 <= .now } ?? false }) else {
                return CallResult(.notFound, mayHaveReached: false, httpStatus: 404)
            }
            var result = CallResult(.adopted, mayHaveReached: false, httpStatus: 200)
            result.providerID = "record-\(claim.id)"
            return result
        }
    }

    @Test(arguments: [true, false])
    func `an effect that comes late is waited for, though the clock jumps ahead`(isWatched: Bool) async throws {
        try await withBench { bench, server in
            try await bench.run("UPDATE onboarding.providers SET effect_horizon = '9 s'")
            try await bench.enqueue("axisfi.customer.create", Bench.business)
            let caller = late(by: .seconds(6))
            func work(until condition: String) async throws {
                try await bench.with([bench.daemon(caller) { $0.renewalInterval = .milliseconds(500) }]) {
                    try await bench.until(condition, within: .seconds(40))
                    if isWatched, caller.calls.count < 3 {
                        try server.moveClock(by: .seconds(3600))
                        try await bench.until("(SELECT state = 'completed' FROM onboarding.jobs)", within: .seconds(40))
                    }
                }
            }
            try await work(until: "(SELECT last_sent_at IS NOT NULL AND state = 'available' FROM onboarding.jobs)")
            if !isWatched {
                // Nobody saw it jump.
                try server.moveClock(by: .seconds(3600))
                try await work(until: "(SELECT state = 'completed' FROM onboarding.jobs)")
            }
            let creations = caller.calls.count { $0.step == .create }
            #expect(creations == 1)
            #expect(try await bench.value("SELECT last_outcome FROM onboarding.jobs") == "adopted")
            if isWatched {
                #expect(
                    try await bench.value(
                        "SELECT clock_watched_since > now() - interval '1 min' FROM onboarding.maintenance")
                        == "true")
            }
        }
    }

    @Test func `a clock that is set back stalls neither a rate, a hold, a backoff nor a take-over`() async throws {
        try await withBench { bench, server in
            try await bench.run(
                """
                UPDATE onboarding.providers SET rate_per_second = 20 WHERE provider = 'iron';
                SELECT onboarding.register_worker('dead', 'host', '0', 8, '{axisfi}', 3000);
                """)
            try await bench.enqueue("axisfi.customer.create", Bench.business)
            try await bench.enqueue(count: 10)
            try await bench.enqueue(
                "juicyway.customer.create",
                #"{"first_name": "A", "last_name": "B", "email": "a@b.c", "phone": "1", "type": "individual", "billing_address": {}}"#
            )
            let isRefusing = NIOLockedValueBox(true)
            let caller = ScriptedCaller { _, claim in
                claim.kind.provider == ProviderName("juicyway") && isRefusing.withLockedValue { $0 }
                    ? CallResult(.unavailable, mayHaveReached: false) : ScriptedCaller.created(claim)
            }
            #expect(
                try await bench.value(
                    "SELECT count(*) FROM onboarding.claim('dead', 'axisfi', 1, 1000000, 1000000, 3000)")
                    == "1")
            let daemon = bench.daemon(caller) {
                $0.lease = .seconds(3)
                $0.leaseMargin = .seconds(1)
                $0.renewalInterval = .milliseconds(500)
            }
            try await bench.with([daemon]) {
                try await bench.until(
                    "(SELECT count(*) = 10 FROM onboarding.jobs WHERE provider = 'iron' AND state = 'completed')")
                try await bench.until("(SELECT state = 'available' FROM onboarding.jobs WHERE provider = 'juicyway')")
                try await bench.run(
                    """
                    UPDATE onboarding.jobs SET run_at = now() + interval '3 s', updated_at = now() WHERE provider = 'juicyway' AND state = 'available';
                    UPDATE onboarding.providers SET held_until = clock_timestamp() + interval '20 s', throttled_at = clock_timestamp()
                    WHERE provider = 'iron';
                    """)
                try server.moveClock(by: .seconds(-600))
                isRefusing.withLockedValue { $0 = false }
                try await bench.enqueue(count: 10)
                let start = ContinuousClock.now
                try await bench.until(
                    "(SELECT bool_and(state = 'completed') FROM onboarding.jobs)", within: .seconds(90))
                // Nothing waits for the ten minutes; what is left is the machine's.
                #expect(ContinuousClock.now - start < .seconds(80))
            }
            #expect(
                try await bench.value(
                    "SELECT clock_set_back_at > clock_timestamp() + interval '500 s' FROM onboarding.maintenance")
                    == "true")
        }
    }
}
