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
    /// The provider's rate, well below what the machine can do: what else runs on it then does not show.
    private static let rate = 400

    /// Whether every measurement was within its limit.
    func run() async throws -> Bool {
        var isFine = true
        for fault in [Fault.restartFast, .restartImmediate, .endBackends, .useUpConnections] {
            isFine = try await measure(fault) && isFine
        }
        for replication in [Stage.Replication.synchronous, .asynchronous] {
            isFine = try await measureFailover(replication) && isFine
        }
        isFine = try await measureFailover(.synchronous, isFrozen: true) && isFine
        return isFine
    }

    /// The primary is lost and its standby promoted; a stage of its own each time.
    private func measureFailover(_ replication: Stage.Replication, isFrozen: Bool = false) async throws -> Bool {
        var times: [Double] = []
        var doubles = 0
        for _ in 0..<max(1, repeats / 3) {
            let stage = try await Stage.set(up: sqlFolder, replication: replication, way: .hosts)
            guard let standby = stage.standby else { return false }
            let fleet = Fleet(stage, mark: "piimark")
            for _ in 0..<workers { try await fleet.start() }
            try await refill(stage.desk)
            let before = try await steadyRate(stage.desk)
            if isFrozen { try await stage.server.freeze() } else { try await stage.server.stop(.immediate) }
            try await standby.promote()
            let promoted = ContinuousClock.now
            let desk = Desk(try standby.connectionString.keywordForm)
            // The synchronous standby has none of its own; nothing waits for one any more.
            try await desk.run("ALTER SYSTEM RESET synchronous_standby_names")
            try await desk.run("SELECT pg_reload_conf()")
            times.append(try await secondsUntil(before * Self.part, since: promoted, desk))
            try await Task.sleep(for: .seconds(2))
            try await fleet.end()
            doubles += try stage.simulator.keysWithSeveralEffects().count
            await desk.close()
            try await stage.takeDown()
        }
        // A server that stands still is found out by its silence, and each new connection tries it first.
        let name = isFrozen ? "failover from a frozen primary" : "failover to \(replication.rawValue) standby"
        return tell(name, times, limit: isFrozen ? 40 : 10, doubles: doubles)
    }

    private func tell(_ name: String, _ times: [Double], limit: Double, doubles: Int) -> Bool {
        let sorted = times.sorted()
        let within = sorted.filter { $0 <= limit }.count
        say(
            String(
                format:
                    "%@: back at 95 %% of the rate after %.1f s (median), %.1f s (most); %d of %d within %.0f s; %d done twice",
                name, sorted[sorted.count / 2], sorted.last ?? 0, within, sorted.count, limit, doubles))
        return within == sorted.count && doubles == 0
    }

    private func measure(_ fault: Fault) async throws -> Bool {
        let stage = try await Stage.set(up: sqlFolder)
        let fleet = Fleet(stage, mark: "piimark")
        for _ in 0..<workers { try await fleet.start() }
        var times: [Double] = []
        do {
            for _ in 0..<repeats {
                try await refill(stage.desk)
                let before = try await steadyRate(stage.desk)
                let returned = try await disturb(fault, stage)
                times.append(try await secondsUntil(before * Self.part, since: returned, stage.desk))
            }
        } catch {
            try? await fleet.end()  // The first error is the one to tell.
            try? await stage.takeDown()
            throw error
        }
        try await fleet.end()
        let doubles = try stage.simulator.keysWithSeveralEffects().count
        try await stage.takeDown()
        return tell(fault.rawValue, times, limit: Self.limit, doubles: doubles)
    }

    /// More work than will be done until the next refill.
    private func refill(_ desk: Desk) async throws {
        let due = try await desk.count("SELECT count(*) FROM onboarding.jobs WHERE state = 'available'")
        guard due < 30_000 else { return }
        try await desk.run(
            """
            UPDATE onboarding.providers SET rate_per_second = \(Self.rate) WHERE provider = 'juicyway';
            INSERT INTO onboarding.jobs (kind, payload)
            SELECT 'juicyway.customer.create', jsonb_build_object('first_name', 'Ada', 'last_name', 'Test', 'email', gen_random_uuid() || '@example.com',
                'phone', '+1', 'type', 'individual', 'billing_address', '{"line1": "1", "city": "c", "state": "s", "zip_code": "z", "country": "NG"}'::jsonb)
            FROM generate_series(1, 30000)
            """)
    }

    /// Jobs ended within the last second, on the database's clock.
    private func rate(_ desk: Desk) async throws -> Double {
        Double(
            try await desk.count(
                "SELECT count(*) FROM onboarding.jobs WHERE finished_at > now() - interval '1 s'"))
    }

    /// The rate over five seconds, once work has begun.
    private func steadyRate(_ desk: Desk) async throws -> Double {
        let end = ContinuousClock.now + .seconds(30)
        while try await rate(desk) < 50, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(100)) }
        try await Task.sleep(for: .seconds(5))
        return Double(
            try await desk.count(
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

    private func secondsUntil(_ wanted: Double, since start: ContinuousClock.Instant, _ desk: Desk) async throws
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
                try await desk.count(
                    "SELECT count(*) FROM onboarding.jobs WHERE finished_at > now() - interval '\(window) s'"))
            if ended / window >= wanted { return seconds }
            try await Task.sleep(for: .milliseconds(100))
        }
        return 60
    }
}
