import Foundation
import Kinds
import Postgres
import SeededRandom
import TestKit

/// Makes one fault at a time happen, and ends it again.
struct FaultDriver: Sendable {
    let stage: Stage
    let fleet: Fleet
    let tally = Tally()
    private var operators: Operators { Operators(stage: stage) }

    init(stage: Stage, fleet: Fleet) {
        self.stage = stage
        self.fleet = fleet
    }

    /// Makes `fault` happen; returns when what it changed is as before, with the process that it killed.
    func make(_ fault: Fault, using random: inout Seeded) async throws -> Int32? {
        let names = await fleet.names
        guard let victim = names.randomElement(using: &random) else { return nil }
        let seconds = Double.random(in: 1...4, using: &random)
        switch fault {
        case .kill, .killBeforeClaimCommits, .killAfterClaim, .killBetweenSendAndAnswer, .killBetweenMarkAndAnswer,
            .killBeforeCompletionCommits, .killAfterCompletion, .killBeforeEffect, .limitMemory:
            return try await kill(victim, at: fault)
        case .stall: try await fleet.stall(victim, for: .seconds(11 + seconds))
        case .stallBeforeEffect:
            try stage.simulator.setFaults(fault.rules)
            try await waitForCall(of: victim)
            async let stalled: Void = fleet.stall(victim, for: .seconds(11 + seconds * 4))
            try await Task.sleep(for: .milliseconds(300))
            try stage.simulator.setFaults([])
            try await stalled
        case .freezeInBody: try await freezeInBody(for: .seconds(10 + seconds * 5))
        case .holdOrderKey, .holdDependents, .holdJobs, .holdProviders:
            try await hold(fault, for: .seconds(15 + seconds * 6), commits: Bool.random(using: &random), victim)
        case .moveClock: try await moveClock(ahead: Bool.random(using: &random), for: .seconds(seconds * 3))
        case .terminate: try await fleet.terminate(victim)
        case .wrongClock:
            try await fleet.terminate(victim, successorIn: .clock(Bool.random(using: &random) ? "+1h" : "-1h"))
        case .timeZone:
            let zone = Surroundings.timeZones.randomElement(using: &random) ?? "UTC"
            try await stage.desk.run("SET lock_timeout = '2s'; SELECT chaos.forget_last_partitions()")
            try await fleet.terminate(victim, successorIn: .timeZone(zone))
        case .silentHost: try await fleet.terminate(victim, successorIn: .silentHost)
        case .fullLog: try await fleet.terminate(victim, successorIn: .fullLog)
        case .closedLog:
            try await fleet.terminate(victim, successorIn: .closedLog(hasReader: Bool.random(using: &random)))
        case .loseAnswers, .breakAnswers, .slowAnswers, .lateEffects, .serverErrors, .throttles, .refuseCredentials,
            .rateLimits, .codings, .strays, .wrongIDs:
            try stage.simulator.setFaults(fault.rules)
            try await Task.sleep(for: .seconds(seconds))
            try stage.simulator.setFaults([])
        case .forgetKeys: try await forgetKeys()
        case .goAway:
            for _ in 0..<Int(seconds * 2) {
                stage.front?.goAway()
                try await Task.sleep(for: .milliseconds(500))
            }
        case .wrongCertificate:
            try stage.front?.showStrangersCertificate(true)
            try await Task.sleep(for: .seconds(seconds))
            try stage.front?.showStrangersCertificate(false)
        case .cancels:
            for (name, count) in try await operators.cancelSome() { tally.add("cancelled \(name)", count) }
        case .operators:
            try await operators.judge()
            try await operators.retrySome()
        case .pauses:
            try await stage.desk.run("SELECT onboarding.pause_provider('iron', 'campaign', now() + interval '1 hour')")
            try await Task.sleep(for: .seconds(seconds))
            try await stage.desk.run("SELECT onboarding.resume_provider('iron')")
        default: try await disturbDatabase(fault, for: seconds)
        }
        return nil
    }

    /// Kills a worker at a point of its work; returns its process.
    private func kill(_ victim: String, at point: Fault) async throws -> Int32? {
        switch point {
        case .killBeforeClaimCommits: return try await killInside("pause_claim", victim)
        case .killBeforeCompletionCommits: return try await killInside("pause_complete", victim)
        case .killAfterClaim:
            return try await killWhen("state = 'running' AND claimed_at > now() - interval '20 ms'", victim)
        case .killBetweenSendAndAnswer, .killBetweenMarkAndAnswer, .killBeforeEffect:
            try stage.simulator.setFaults(point.rules)
            let condition =
                point == .killBetweenMarkAndAnswer
                ? "marked_at IS NOT NULL" : "claimed_at < now() - interval '200 ms'"
            let killed = try await killWhen("state = 'running' AND \(condition)", victim)
            try stage.simulator.setFaults([])
            return killed
        case .killAfterCompletion: return try await killWhen("finished_at > now() - interval '20 ms'", victim)
        case .limitMemory: return try await fleet.limitMemory(victim)
        default: return try await fleet.kill(victim)
        }
    }

    /// What goes wrong between the workers and their tables.
    private func disturbDatabase(_ fault: Fault, for seconds: Double) async throws {
        switch fault {
        case .restartFast, .restartImmediate:
            try await stage.server.stop(fault == .restartFast ? .fast : .immediate)
            try await Task.sleep(for: .seconds(seconds / 4))
            try await stage.server.start()
        case .failOver: try await stage.failOver()
        case .freezePrimary: try await stage.failOver(isFrozen: true)
        case .endBackends:
            for _ in 0..<Int(seconds) {
                try await stage.desk.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'worker-%' "
                        + "AND random() < 0.5")
                try await Task.sleep(for: .milliseconds(500))
            }
        case .useUpConnections: try await useUpConnections(for: seconds)
        case .cutLink, .stallLink:
            stage.link.set(fault == .cutLink ? .cut : .stalled)
            try await Task.sleep(for: .seconds(fault == .cutLink ? seconds : seconds * 3))
            stage.link.set(.open)
        case .busyErrors: try await disturb("errors", 0.05, for: seconds)
        case .diskFull: try await disturb("disk_full", 1, for: seconds)
        case .lockTable:
            try await hold("LOCK TABLE onboarding.jobs IN EXCLUSIVE MODE; SELECT pg_sleep(\(seconds * 2))")
        case .openTransaction:
            try await hold(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM onboarding.jobs; SELECT pg_sleep(\(seconds * 5))"
            )
        default: preconditionFailure("\(fault) is not one of the database's")
        }
    }

    /// Kills a worker while one of its sessions is held open by the trigger, before its COMMIT.
    private func killInside(_ setting: String, _ victim: String) async throws -> Int32? {
        try await stage.desk.run("UPDATE chaos.settings SET value = 0.5 WHERE name = '\(setting)'")
        try await waitFor(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(victim)' AND wait_event = 'PgSleep'")
        try await stage.desk.run("UPDATE chaos.settings SET value = 0 WHERE name = '\(setting)'")
        return try await fleet.kill(victim)
    }

    /// Kills a worker when it holds a job that fits.
    private func killWhen(_ condition: String, _ victim: String) async throws -> Int32? {
        try await waitFor("SELECT count(*) FROM onboarding.jobs WHERE \(condition)")
        return try await fleet.kill(victim)
    }

    /// Waits until the count is not zero, for two seconds at most: then the fault hits where it hits.
    private func waitFor(_ count: String) async throws {
        let end = ContinuousClock.now + .seconds(2)
        while try await stage.desk.count(count) == 0, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private func disturb(_ setting: String, _ value: Double, for seconds: Double) async throws {
        try await stage.desk.run("UPDATE chaos.settings SET value = \(value) WHERE name = '\(setting)'")
        try await Task.sleep(for: .seconds(seconds))
        try await stage.desk.run("UPDATE chaos.settings SET value = 0 WHERE name = '\(setting)'")
    }

    /// A transaction of somebody else's that is in the way.
    private func hold(_ statements: String) async throws {
        var configuration = ConnectionConfiguration(connectionString: try stage.server.connectionString.keywordForm)
        configuration.lockTimeout = .seconds(5)
        // It may fail for want of a lock or a server: then it is in nobody's way.
        guard let connection = try? await Connection.open(configuration) else { return }
        try? await connection.run(script: "BEGIN; \(statements); COMMIT", timeout: .seconds(60))
        await connection.close()
    }

    /// Stops a worker while a body is half written, for long enough that another has the job, and then lets it go on.
    private func freezeInBody(for duration: Duration) async throws {
        // Full kernels hold the bodies; a worker that is stopped then has not written their ends.
        stage.calls.set(.stalled)
        let victim = try await workerInBody()
        // Until the kernels have taken what they take.
        try await Task.sleep(for: .milliseconds(200))
        guard let victim, stage.unsentRequests > 0 else { return stage.calls.set(.open) }
        async let stalled: Void = fleet.stall(victim, for: duration)
        try await Task.sleep(for: .milliseconds(100))
        tally.add("bodies half written", stage.unsentRequests)
        stage.calls.set(.open)
        try await stalled
    }

    /// A worker that has begun to send a large body and cannot go on; nil where none does within ten seconds, since others have
    /// claimed them all.
    private func workerInBody() async throws -> String? {
        let end = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < end {
            try await stage.desk.run("SELECT chaos.enqueue_large()")
            // A large body takes its time to be read and checked.
            try await Task.sleep(for: .milliseconds(500))
            let holders = try await stage.desk.rows(
                "SELECT claimed_by FROM onboarding.jobs WHERE state = 'running' AND payload_bytes > 1000000")
            for name in await fleet.directNames {
                let process = "/\(await fleet.processID(of: name) ?? 0)/"
                let isHolder = holders.contains { $0[0]?.contains(process) == true }
                if isHolder, stage.unsentRequests > 0 { return name }
            }
        }
        return nil
    }

    /// A caller's transaction stays open while a worker dies.
    private func hold(_ fault: Fault, for duration: Duration, commits: Bool, _ victim: String) async throws {
        let statements =
            switch fault {
            case .holdOrderKey: "SELECT chaos.cancel_of_a_key()"
            case .holdDependents:
                "SELECT 1 FROM onboarding.jobs WHERE state = 'blocked' ORDER BY id LIMIT 40 FOR UPDATE"
            case .holdProviders: "UPDATE onboarding.providers SET max_in_flight = max_in_flight"
            default:
                "SELECT 1 FROM onboarding.jobs WHERE state = 'running' ORDER BY random() LIMIT 5 FOR UPDATE SKIP LOCKED"
            }
        var configuration = ConnectionConfiguration(connectionString: try stage.server.connectionString.keywordForm)
        configuration.lockTimeout = .seconds(5)
        // It may fail for want of a lock or a server: then it is in nobody's way.
        guard let connection = try? await Connection.open(configuration) else { return }
        if (try? await connection.run(script: "BEGIN; \(statements)", timeout: .seconds(30))) != nil {
            tally.add("held: \(fault.rawValue)")
            if let killed = try await fleet.kill(victim) { try await fleet.follow(killed) }
            try await Task.sleep(for: duration)
            try? await connection.run(script: commits ? "COMMIT" : "ROLLBACK", timeout: .seconds(30))
        }
        await connection.close()
    }

    /// The database's clock is an hour wrong for a while.
    private func moveClock(ahead: Bool, for duration: Duration) async throws {
        try stage.moveClock(by: .seconds(ahead ? 3600 : -3600))
        tally.add(ahead ? "clock ahead" : "clock back")
        try await Task.sleep(for: duration)
        try stage.moveClock(by: .zero)
    }

    /// Waits until a worker has a call under way.
    private func waitForCall(of victim: String) async throws {
        try await waitFor(
            "SELECT count(*) FROM onboarding.jobs WHERE state = 'running' AND step = 'create' "
                + "AND claimed_at < now() - interval '200 ms' "
                + "AND claimed_by LIKE '%/\(await fleet.processID(of: victim) ?? 0)/%'")
    }

    /// Takes every connection that the server has, and ends the workers' own.
    func useUpConnections(for seconds: Double) async throws {
        let string = try stage.server.connectionString.keywordForm
        var taken: [Connection] = []
        // Superusers have a few of their own; those are taken too, until the server refuses.
        while taken.count < Stage.maxConnections,
            let connection = try? await Connection.open(
                ConnectionConfiguration(connectionString: string, applicationName: "greedy"))
        { taken.append(connection) }
        // The workers' sessions are ended, so that they need new ones and get none.
        try? await taken.first?.run(
            script: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'worker-%'")
        while taken.count < Stage.maxConnections,
            let connection = try? await Connection.open(
                ConnectionConfiguration(connectionString: string, applicationName: "greedy"))
        { taken.append(connection) }
        try await Task.sleep(for: .seconds(seconds))
        for connection in taken { await connection.close() }
    }

    /// A day passes for the keys alone: nothing is in flight, every unfinished send is a day older, and the providers
    /// that keep keys have forgotten them.
    private func forgetKeys() async throws {
        let keyed = Registry.shipped.keyed
        let names = keyed.map { "'\($0)'" }.joined(separator: ", ")
        let pause = keyed.map {
            "SELECT onboarding.pause_provider('\($0)', 'a day passes', now() + interval '1 hour')"
        }
        try await stage.desk.run(pause.joined(separator: ";"))
        let running =
            "SELECT count(*) FROM onboarding.jobs WHERE state = 'running' AND provider IN (\(names))"
        let end = ContinuousClock.now + .seconds(25)
        // Nor is anything on its way: a request lands before its key is forgotten, or never does.
        var isQuiet = false
        while !isQuiet, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(20))
            isQuiet = try await stage.desk.count(running) == 0
            if isQuiet { isQuiet = try await stage.simulatorCount("requests_on_their_way") == 0 }
        }
        if isQuiet {
            try stage.simulator.setFaults(Fault.forgetKeys.rules)
            try await stage.desk.run(
                "UPDATE onboarding.jobs SET first_sent_at = first_sent_at - interval '25 hours' "
                    + "WHERE provider IN (\(names)) AND state NOT IN ('running', 'completed') AND first_sent_at > now() - interval '1 hour'"
            )
        }
        try await stage.desk.run(
            keyed.map { "SELECT onboarding.resume_provider('\($0)')" }.joined(separator: ";"))
        try await Task.sleep(for: .seconds(2))
        try stage.simulator.setFaults([])
    }
}
