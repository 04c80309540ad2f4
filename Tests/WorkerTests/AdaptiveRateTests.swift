import JobModel
import NIOConcurrencyHelpers
import Postgres
import Providers
import Testing

@testable import Worker

/// Providers that refuse calls beyond a rate which nobody has told the queue, and say nothing of when to come back.
@Suite struct AdaptiveRateTests {
    /// A provider that lets `perSecond` calls in, saved up to `burst` of them.
    private final class Bucket: Sendable {
        private let state:
            NIOLockedValueBox<(tokens: Double, at: ContinuousClock.Instant, refusals: [Duration], calls: [Duration])>
        private let start = ContinuousClock.now
        private let perSecond: Double
        private let burst: Double

        init(perSecond: Double, burst: Double) {
            self.perSecond = perSecond
            self.burst = burst
            state = NIOLockedValueBox((burst, .now, [], []))
        }

        func answer(_ claim: Claim) -> CallResult {
            let now = ContinuousClock.now
            let isLetIn = state.withLockedValue { state in
                state.tokens = min(burst, state.tokens + (now - state.at) / .seconds(1) * perSecond)
                state.at = now
                state.calls.append(now - start)
                guard state.tokens >= 1 else {
                    state.refusals.append(now - start)
                    return false
                }
                state.tokens -= 1
                return true
            }
            return isLetIn
                ? ScriptedCaller.created(claim) : CallResult(.throttled, mayHaveReached: false, httpStatus: 429)
        }

        /// What part of the calls was refused after a time.
        func refused(after time: Duration) -> Double {
            state.withLockedValue { state in
                Double(state.refusals.count { $0 > time }) / Double(max(1, state.calls.count { $0 > time }))
            }
        }
    }

    @Test(arguments: [1, 3])
    func `a rate that nobody told is found and kept to`(workers: Int) async throws {
        try await withBench { bench in
            // They failed often, each for reasons of its own: that has nothing to do with the provider.
            try await bench.enqueue(count: 300)
            try await bench.run("UPDATE onboarding.jobs SET backoff_step = 13")
            let bucket = Bucket(perSecond: 30, burst: 30)
            let caller = ScriptedCaller { _, claim in
                // Cancelled: the test is over.
                try? await Task.sleep(for: .milliseconds(30))
                return bucket.answer(claim)
            }
            let start = ContinuousClock.now
            try await bench.with((0..<workers).map { _ in bench.daemon(caller) }) {
                try await bench.until(
                    "(SELECT bool_and(state = 'completed') FROM onboarding.jobs)", within: .seconds(90))
            }
            // Ten seconds would do.
            #expect(ContinuousClock.now - start < .seconds(60))
            // A busy machine sends in bursts; without a learnt rate most calls are refused.
            #expect(bucket.refused(after: .seconds(5)) < 0.45)
            #expect(try await bench.value("SELECT max(backoff_step) FROM onboarding.jobs") == "13")
            #expect(try await bench.value("SELECT max(attempt) FROM onboarding.jobs") == "1")
            #expect(
                try await bench.value(
                    "SELECT adaptive_rate BETWEEN 2 AND 150 FROM onboarding.providers WHERE provider = 'iron'")
                    == "true")
        }
    }

    @Test func `answers that leave all in doubt stop a provider after a few`() async throws {
        try await withBench { bench in
            try await bench.enqueue("connect.individual.create", Bench.connect, count: 300)
            let caller = ScriptedCaller { _, _ in
                try? await Task.sleep(for: .milliseconds(20))
                return CallResult(.ambiguous, mayHaveReached: true, httpStatus: 502)
            }
            try await bench.with([bench.daemon(caller), bench.daemon(caller)]) {
                try await bench.until("(SELECT circuit = 'open' FROM onboarding.providers WHERE provider = 'connect')")
                try await Task.sleep(for: .seconds(2))
                #expect(caller.calls.count <= 4)
                #expect(
                    try await bench.value(
                        "SELECT circuit_reason FROM onboarding.queue_health WHERE provider = 'connect'")
                        == "ambiguous answers")
                #expect(try await bench.value("SELECT reason FROM onboarding.why(300)") == "circuit_open")
            }
        }
    }
}
