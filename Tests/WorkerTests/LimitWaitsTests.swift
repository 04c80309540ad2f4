import JobModel
import Testing

@testable import Worker

/// Claims that a limit has refused: they wait for what lets them go on, and do not ask again and again.
@Suite(.timeLimit(.minutes(10))) struct LimitWaitsTests {
    private static let iron = ProviderName("iron")

    @Test func `an end since the claim, or after it, lets its provider look again, once`() {
        let waits = LimitWaits(bells: ClaimBells(providers: [Self.iron, ProviderName("connect")]))
        #expect(!waits.roomCame(to: Self.iron))
        // Nobody waits.
        waits.endWritten(of: Self.iron)
        #expect(!waits.roomCame(to: Self.iron))
        waits.wait(for: Self.iron, since: waits.ends(of: Self.iron))
        waits.endWritten(of: ProviderName("connect"))
        #expect(!waits.roomCame(to: Self.iron))
        waits.endWritten(of: Self.iron)
        #expect(waits.roomCame(to: Self.iron))
        #expect(!waits.roomCame(to: Self.iron))
        // Between the claim and its refusal.
        let before = waits.ends(of: Self.iron)
        waits.endWritten(of: Self.iron)
        waits.wait(for: Self.iron, since: before)
        #expect(waits.roomCame(to: Self.iron))
    }

    @Test func `each end lets the next job go where one may be in flight, long before the next poll`() async throws {
        try await withBench { bench in
            try await bench.run("UPDATE onboarding.providers SET max_in_flight = 1 WHERE provider = 'iron'")
            try await bench.enqueue(count: 10)
            let worker = bench.daemon(ScriptedCaller()) { $0.pollInterval = .seconds(60) }
            try await bench.with([worker]) {
                try await bench.until("(SELECT count(*) = 10 FROM onboarding.jobs WHERE state = 'completed')")
            }
        }
    }

    @Test(arguments: [
        ("max_in_flight = 0", "max_in_flight = NULL"), ("max_in_flight = 0", "max_in_flight = 5"),
        ("paused_until = 'infinity'", "paused_until = NULL"),
    ])
    func `a limit that somebody changes by UPDATE wakes the workers that wait for it`(
        closed: String, opened: String
    ) async throws {
        try await withBench { bench in
            try await bench.run("UPDATE onboarding.providers SET \(closed) WHERE provider = 'iron'")
            let worker = bench.daemon(ScriptedCaller()) { $0.pollInterval = .seconds(60) }
            try await bench.with([worker]) {
                try await bench.until("(SELECT count(*) = 1 FROM onboarding.workers)")
                try await bench.enqueue(count: 3)
                // Until the wake-up and the looks that follow it are over.
                try await Task.sleep(for: .seconds(1))
                #expect(try await bench.states() == "available=3")
                try await bench.run("UPDATE onboarding.providers SET \(opened) WHERE provider = 'iron'")
                try await bench.until("(SELECT count(*) = 3 FROM onboarding.jobs WHERE state = 'completed')")
            }
        }
    }
}
