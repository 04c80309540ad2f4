import Foundation
import Postgres
import TestKit

/// How soon the workers are back at their rate after the database was away.
struct Recovery: Sendable {
    let repeats: Int
    let workers: Int
    let sqlFolder: URL

    /// What the design promises: at least this part of the rate before, within this many seconds of the return.
    private static let part = 0.95
    private static let limit = 5.0

    /// Whether every measurement was within its limit.
    func run() async throws -> Bool {
        var isFine = true
        for fault in [Fault.restartFast, .restartImmediate, .endBackends, .useUpConnections] {
            isFine = try await measure(fault) && isFine
        }
        return isFine
    }

    private func measure(_ fault: Fault) async throws -> Bool {
        let stage = try await Stage.set(up: sqlFolder)
        let fleet = Fleet(stage, mark: "piimark")
        for _ in 0..<workers { try await fleet.start() }
        var times: [Double] = []
        do {
            for _ in 0..<repeats {
                try await refill(stage)
                let before = try await steadyRate(stage)
                let returned = try await disturb(fault, stage)
                times.append(try await secondsUntil(before * Self.part, since: returned, stage))
            }
        } catch {
            try? await fleet.end()  // The first error is the one to tell.
            try? await stage.takeDown()
            throw error
        }
        let doubles = try await stage.desk.count(
            "SELECT count(*) FROM (SELECT 1 FROM onboarding.attempts WHERE outcome = 'succeeded' AND NOT late GROUP BY job_id HAVING count(*) > 1) d"
        )
        try await fleet.end()
        try await stage.takeDown()
        times.sort()
        let within = times.filter { $0 <= Self.limit }.count
        say(
            String(
                format:
                    "%@: back at 95 %% of the rate after %.1f s (median), %.1f s (most); %d of %d within %.0f s; %d completed twice",
                fault.rawValue, times[times.count / 2], times.last ?? 0, within, times.count, Self.limit, doubles))
        return within == times.count && doubles == 0
    }

    /// More work than will be done until the next refill.
    private func refill(_ stage: Stage) async throws {
        let due = try await stage.desk.count("SELECT count(*) FROM onboarding.jobs WHERE state = 'available'")
        guard due < 30_000 else { return }
        try await stage.desk.run(
            """
            INSERT INTO onboarding.jobs (kind, payload)
            SELECT 'juicyway.customer.create', jsonb_build_object('first_name', 'Ada', 'last_name', 'Test', 'email', gen_random_uuid() || '@example.com',
                'phone', '+1', 'type', 'individual', 'billing_address', '{"line1": "1", "city": "c", "state": "s", "zip_code": "z", "country": "NG"}'::jsonb)
            FROM generate_series(1, 30000)
            """)
    }

    /// Jobs ended within the last second, on the database's clock.
    private func rate(_ stage: Stage) async throws -> Double {
        Double(
            try await stage.desk.count(
                "SELECT count(*) FROM onboarding.jobs WHERE finished_at > now() - interval '1 s'"))
    }

    /// The rate over five seconds, once work has begun.
    private func steadyRate(_ stage: Stage) async throws -> Double {
        let end = ContinuousClock.now + .seconds(30)
        while try await rate(stage) < 50, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(100)) }
        try await Task.sleep(for: .seconds(5))
        return Double(
            try await stage.desk.count(
                "SELECT count(*) FROM onboarding.jobs WHERE finished_at > now() - interval '4 s'")) / 4
    }

    /// Makes the fault and says when the server was there again.
    private func disturb(_ fault: Fault, _ stage: Stage) async throws -> ContinuousClock.Instant {
        let driver = FaultDriver(stage: stage, fleet: Fleet(stage, mark: "piimark"))
        switch fault {
        case .restartFast, .restartImmediate:
            try await stage.server.stop(fault == .restartFast ? .fast : .immediate)
            try await Task.sleep(for: .seconds(1))
            try await stage.server.start()
        case .useUpConnections: try await driver.useUpConnections(for: 3)
        default:
            try await stage.desk.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'worker-%'")
        }
        return ContinuousClock.now
    }

    private func secondsUntil(_ wanted: Double, since start: ContinuousClock.Instant, _ stage: Stage) async throws
        -> Double
    {
        let end = start + .seconds(60)
        // What ended before the return does not count.
        try await Task.sleep(for: .milliseconds(200))
        while ContinuousClock.now < end {
            let elapsed = ContinuousClock.now - start
            let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
            let window = min(1, seconds)
            let ended = Double(
                try await stage.desk.count(
                    "SELECT count(*) FROM onboarding.jobs WHERE finished_at > now() - interval '\(window) s'"))
            if ended / window >= wanted { return seconds }
            try await Task.sleep(for: .milliseconds(100))
        }
        return 60
    }
}
