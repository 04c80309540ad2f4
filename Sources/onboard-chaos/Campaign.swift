import Foundation
import NIOConcurrencyHelpers
import SeededRandom
import TestKit

/// One campaign from an empty database to the comparison of the books.
struct Campaign: Sendable {
    let seed: UInt64
    let duration: Duration
    let rate: Int
    let workers: Int
    let pause: Double
    let faults: [Fault]
    let acceptsDuplicates: Bool
    let sqlFolder: URL

    /// A word that stands in every free field of every payload, and may stand nowhere else.
    private static let mark = "piimark"
    /// Short, so that what comes late comes within the campaign; more than a call's two seconds and the look that follows.
    private static let horizon = 12

    /// Whether every invariant held.
    func run() async throws -> Bool {
        say("seed \(seed), \(duration.components.seconds) s, \(rate) calls a second, \(workers) workers")
        if Stage.fakeTimeLibrary == nil { say("libfaketime is not installed: no worker gets a wrong clock") }
        let stage = try await Stage.set(up: sqlFolder, replication: .synchronous, acceptsDuplicates: acceptsDuplicates)
        let calm = Calm()
        let fleet = Fleet(stage, calm, mark: Self.mark)
        let loader = Loader(stage, mark: Self.mark)
        let watch = Watch(stage, calm)
        let driver = FaultDriver(stage: stage, fleet: fleet)
        let holds: Bool
        do {
            try await stage.desk.run("UPDATE onboarding.providers SET effect_horizon = '\(Self.horizon) s'")
            let made = try await disturb(driver, loader, watch, calm)
            say("no more faults: the workers finish")
            try await fleet.mend(to: workers)
            let settled = try await Settlement(stage: stage, mark: Self.mark).run()
            try await fleet.end()
            say("\nmet: \(driver.tally.description)")
            let takenOver = try await takeOvers(fleet, watch)
            holds = try await report(stage, fleet, loader, made: made, settled: settled + [takenOver])
        } catch {
            try? await fleet.end()  // The first error is the one to tell.
            try? await stage.takeDown()
            throw error
        }
        try await stage.takeDown()
        return holds
    }

    private func disturb(
        _ driver: FaultDriver, _ loader: Loader, _ watch: Watch, _ calm: Calm
    ) async throws -> [Fault: Int] {
        let (stage, fleet) = (driver.stage, driver.fleet)
        for _ in 0..<workers { try await fleet.start() }
        return try await withThrowingTaskGroup { group in
            let failure = NIOLockedValueBox<(any Error)?>(nil)
            group.addTask(name: "callers") { [rate] in
                try await Self.telling(failure) { try await loader.run(rate: rate) }
            }
            group.addTask(name: "watch") { try await Self.telling(failure) { try await watch.run() } }
            var random = Seeded(seed)
            let faults = faults.filter { stage.front != nil || !$0.needsFront }
            var made: [Fault: Int] = [:]
            // From a shuffled deck, so that a short campaign meets most kinds.
            var deck: [Fault] = []
            let end = ContinuousClock.now + duration
            while ContinuousClock.now < end {
                try await Task.sleep(for: .seconds(pause * Double.random(in: 0.5...1.5, using: &random)))
                // Kills twice: they come at moments of their own. So do operators, and what lands late.
                if deck.isEmpty {
                    deck = (faults + faults.filter(\.comesTwice)).shuffled(using: &random)
                }
                let fault = deck.removeLast()
                let start = ContinuousClock.now
                say("\(fault.rawValue) …")
                let killed =
                    fault.stopsTakeOver
                    ? try await calm.disturbed { try await driver.make(fault, using: &random) }
                    : try await driver.make(fault, using: &random)
                if let killed {
                    group.addTask(name: "take-over") {
                        try await Self.telling(failure) { try await fleet.follow(killed) }
                    }
                }
                made[fault, default: 0] += 1
                let took = (ContinuousClock.now - start).components.seconds
                say(
                    "\(fault.rawValue) (\(took) s); \(try await stage.desk.count("SELECT count(*) FROM onboarding.jobs")) jobs, "
                        + "\(try await stage.desk.count("SELECT count(*) FROM onboarding.jobs WHERE finished_at IS NOT NULL")) ended"
                )
                try await fleet.mend(to: workers)
                if let error = failure.withLockedValue({ $0 }) { throw error }
            }
            await loader.stop()
            await watch.stop()
            try await group.waitForAll()
            return made
        }
    }

    /// Keeps the first failure where the campaign sees it before its end.
    private static func telling(
        _ failure: NIOLockedValueBox<(any Error)?>, _ work: () async throws -> Void
    ) async throws {
        do {
            try await work()
        } catch {
            failure.withLockedValue { $0 = $0 ?? error }
            throw error
        }
    }

    private func report(
        _ stage: Stage, _ fleet: Fleet, _ loader: Loader, made: [Fault: Int], settled: [Books.Finding]
    ) async throws -> Bool {
        let books = try Books(stage, mark: Self.mark, sqlFolder: sqlFolder)
        let committed = await loader.committed
        try await books.open(committed: committed)
        var isFine = true
        say(
            "\nfaults made: "
                + made.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value)" }.joined(
                    separator: ", "))
        for row in try await stage.desk.rows(
            "SELECT provider || ' ' || state || ' ' || count(*) FROM onboarding.jobs GROUP BY provider, state ORDER BY 1"
        ) {
            say(row[0] ?? "")
        }
        say("\(committed.count) jobs committed, \(await loader.refused) transactions withdrawn or refused")
        say(
            "\(try await stage.desk.count("SELECT count(*) FROM chaos.ledger")) effects, "
                + "\(try await stage.desk.count("SELECT count(*) FROM onboarding.attempts")) attempts, "
                + "\(try await stage.desk.count("SELECT count(*) FROM onboarding.attempts WHERE late")) late, "
                + "\(try await stage.desk.count("SELECT count(*) FROM onboarding.attempts WHERE outcome = 'lost'")) lost"
        )
        let acts = "SELECT count(*) FROM onboarding.state_changes WHERE reason LIKE"
        say(
            "operators: \(try await stage.desk.count("\(acts) 'retry%'")) retries, "
                + "\(try await stage.desk.count("\(acts) 'happened%'")) verdicts that it happened, "
                + "\(try await stage.desk.count("\(acts) 'did_not_happen%'")) that it did not")
        say("\(await fleet.foundNoDatabase) workers found no database at their start and were started again")
        try await tellKills(await fleet.kills, stage.desk)
        let traces = try await Traces(stage: stage).compare()
        let asModelled = Books.Finding(
            invariant: "each of \(traces.count) histories is a path of the model",
            violations: Array(traces.violations.prefix(20)))
        let reused = try await stage.simulatorCount("requests_with_a_used_key_and_another_body")
        let oneBody = Books.Finding(
            invariant: "no request had a used key and another body",
            violations: reused == 0 ? [] : [(nil, "\(reused) had")])
        for finding in try await settled + books.compare() + [oneBody, asModelled] {
            say("\(finding.violations.isEmpty ? "holds " : "BROKEN") \(finding.invariant)")
            for violation in finding.violations {
                isFine = false
                say("       job \(violation.job ?? "none"): \(violation.problem)")
            }
            for job in finding.violations.compactMap(\.job).prefix(3) { say(try await books.story(of: job)) }
        }
        for (name, lines) in [
            ("no personal data in a worker's log", await fleet.leaks + serverLeaks(stage)),
            ("no worker ended by itself", await fleet.unexpectedEnds),
        ] {
            say("\(lines.isEmpty ? "holds " : "BROKEN") \(name)")
            for line in lines.prefix(5) { say("       \(line)") }
            isFine = isFine && lines.isEmpty
        }
        say(isFine ? "\nEvery invariant held." : "\nBroken: see above.")
        return isFine
    }

    private func takeOvers(_ fleet: Fleet, _ watch: Watch) async throws -> Books.Finding {
        let slow = await fleet.kills.filter { $0.held > 0 && $0.takenOverAfter > .seconds(15) }
        let late = slow.map { kill -> (job: String?, problem: String) in
            (nil, "process \(kill.processID) held \(kill.held) jobs, taken over after \(kill.takenOverAfter)")
        }
        say("jobs were left without a lease for \(await watch.longest) at most, but for disturbances")
        return Books.Finding(
            invariant: "the jobs of dead workers were taken over within 15 s",
            violations: Array((await watch.violations + late).prefix(20)))
    }

    private func tellKills(_ kills: [Fleet.Kill], _ desk: Desk) async throws {
        let times = kills.filter { $0.held > 0 }.map {
            Double($0.takenOverAfter.components.seconds) + Double($0.takenOverAfter.components.attoseconds) / 1e18
        }.sorted()
        guard !times.isEmpty else { return }
        say(
            String(
                format:
                    "%d kills, %d of them with jobs in hand; those were taken over after %.1f s (median), %.1f s (most)",
                kills.count, times.count, times[times.count / 2], times.last ?? 0))
        let processes = kills.map { String($0.processID) }.joined(separator: ",")
        let connect = try await desk.rows(
            """
            SELECT count(*)::text, count(*) FILTER (WHERE a.sent_at >= a.claimed_at)::text,
                count(*) FILTER (WHERE EXISTS (
                    SELECT 1 FROM onboarding.attempts b WHERE b.job_id = a.job_id AND b.next_state = 'uncertain'))::text
            FROM onboarding.attempts a JOIN onboarding.jobs j ON j.id = a.job_id
            WHERE a.outcome = 'lost' AND j.provider = 'connect'
              AND split_part(a.worker, '/', 2) = ANY (string_to_array('\(processes)', ','))
            """, columns: 3)[0].map { $0 ?? "0" }
        say(
            "killed workers held \(connect[0]) Connect jobs, \(connect[1]) of them between mark and answer; "
                + "\(connect[2]) became uncertain")
    }

    private func serverLeaks(_ stage: Stage) -> [String] {
        stage.serverLogs.flatMap { $0.split(separator: "\n") }.filter { $0.lowercased().contains(Self.mark) }.map {
            "server: \($0.prefix(200))"
        }
    }
}

/// Tells the person at the terminal, at once.
func say(_ text: String) {
    print(text)
    fflush(nil)
}
