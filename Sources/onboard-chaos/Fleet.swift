import Foundation
import TestKit

/// The worker processes: killed, stopped, started again; and what their deaths cost.
actor Fleet {
    /// How a kill went.
    struct Kill: Sendable {
        let processID: Int32
        /// Jobs that the worker held when it died.
        let held: Int
        /// Until none of them was its any more, but for what a caller had locked.
        let takenOverAfter: Duration
    }

    private let stage: Stage
    private let mark: String
    private var workers: [String: Program] = [:]
    private var count = 0
    private let calm: Calm
    private(set) var kills: [Kill] = []
    private(set) var leaks: [String] = []
    private(set) var unexpectedEnds: [String] = []
    /// Workers that found no database when they started, said so, and ended with the exit code for it.
    private(set) var foundNoDatabase = 0

    init(_ stage: Stage, _ calm: Calm = Calm(), mark: String) {
        self.stage = stage
        self.calm = calm
        self.mark = mark
    }

    var names: [String] { workers.keys.sorted() }
    /// The workers that call the providers without TLS.
    var directNames: [String] {
        names.filter { !($0.split(separator: "-").last.flatMap { Int($0) }?.isMultiple(of: 2) ?? true) }
    }

    func processID(of name: String) -> Int32? { workers[name]?.processID }

    func start(in surroundings: Surroundings = .usual, tries: Int = 4) async throws {
        count += 1
        let name = "worker-\(count)"
        workers[name] = try stage.startWorker(name, overFront: count.isMultiple(of: 2), in: surroundings)
        guard case .clock = surroundings else { return }
        // Under libfaketime a program now and then loses its arguments and prints its help: it is started again.
        try await Task.sleep(for: .milliseconds(500))
        guard let worker = workers[name], hasLostItsArguments(worker) else { return }
        retire(name)
        try await start(in: tries > 1 ? surroundings : .usual, tries: tries - 1)
    }

    /// Whether it printed its help instead of working, as programs now and then do under libfaketime.
    private func hasLostItsArguments(_ worker: Program) -> Bool {
        worker.exitCode == 0 && worker.output.hasPrefix("OVERVIEW")
    }

    /// Replaces workers that ended although nobody ended them.
    func mend(to size: Int) async throws {
        for (name, worker) in workers where !worker.isRunning {
            if worker.exitCode == 69, worker.errors.contains("check ONBOARD_DATABASE_URL") {
                foundNoDatabase += 1
            } else if !hasLostItsArguments(worker) {
                unexpectedEnds.append(
                    "\(name): \(worker.exitCode ?? 0) \(worker.errors.suffix(400))")
            }
            retire(name)
        }
        while workers.count < size { try await start() }
    }

    /// Kills the worker `name` and starts another in its place; gives its process id.
    func kill(_ name: String) async throws -> Int32? {
        guard let worker = workers[name] else { return nil }
        worker.signal(SIGKILL)
        _ = try await worker.ended(within: 10)
        retire(name)
        try await start()
        return worker.processID
    }

    /// Leaves a worker no more memory than it has, so that it ends as soon as it needs more, and starts another in its
    /// place; one that needs no more for ten seconds is killed.
    func limitMemory(_ name: String) async throws -> Int32? {
        guard let worker = workers[name] else { return nil }
        let process = worker.processID
        let pages = (try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8))?.split(separator: " ")
            .first
        let bytes = (pages.flatMap { Int($0) } ?? 0) * sysconf(Int32(_SC_PAGESIZE))
        _ = try await Program(
            at: URL(fileURLWithPath: "/usr/bin/prlimit"), ["--pid", "\(process)", "--as=\(bytes)"]
        ).start().ended()
        // Documents for which it needs more than it has.
        try await stage.desk.run("SELECT chaos.enqueue_large() FROM generate_series(1, 6)")
        let end = ContinuousClock.now + .seconds(10)
        while worker.isRunning, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
        if worker.isRunning { return try await kill(name) }
        retire(name)
        try await start()
        return process
    }

    /// Waits until the jobs of a killed worker are no longer its, and notes how long that took.
    func follow(_ processID: Int32) async throws {
        let start = ContinuousClock.now
        // By their tokens: the system gives process ids a second time.
        let rows = try await stage.desk.rows(
            "SELECT coalesce(string_agg(claim_token::text, ','), '') FROM onboarding.jobs "
                + "WHERE state = 'running' AND claimed_by LIKE '%/\(processID)/%'")
        let tokens = rows[0][0] ?? ""
        let held = tokens.split(separator: ",").count
        let mine = "state = 'running' AND claim_token = ANY (string_to_array('\(tokens)', ',')::bigint[])"
        var left = held
        while left > 0, ContinuousClock.now - start < .seconds(60) {
            try await Task.sleep(for: .milliseconds(100))
            left = try await stage.desk.rows(
                "SELECT 1::text FROM onboarding.jobs WHERE \(mine) FOR NO KEY UPDATE SKIP LOCKED"
            ).count
        }
        kills.append(Kill(processID: processID, held: held, takenOverAfter: calm.time(since: start)))
    }

    /// Stops a worker for longer than its lease and lets it go on.
    func stall(_ name: String, for duration: Duration) async throws {
        guard let worker = workers[name] else { return }
        worker.signal(SIGSTOP)
        try await Task.sleep(for: duration)
        worker.signal(SIGCONT)
    }

    /// Asks a worker to end, and checks that it does so properly.
    func terminate(_ name: String, successorIn surroundings: Surroundings = .usual) async throws {
        guard let worker = workers[name] else { return }
        worker.signal(SIGTERM)
        let ended = try await worker.ended(within: 40)
        // The signal itself: it came before the program had begun to listen for it.
        if ended.exitCode != 0, !(ended.exitCode == SIGTERM && ended.errors.isEmpty) {
            unexpectedEnds.append("\(name) after SIGTERM: \(ended.exitCode) \(ended.errors.suffix(400))")
        }
        retire(name)
        try await start(in: surroundings)
    }

    /// Ends all that is left.
    func end() async throws {
        for name in names {
            workers[name]?.signal(SIGCONT)
            workers[name]?.signal(SIGTERM)
        }
        for name in names {
            let ended = try await workers[name]?.ended(within: 60)
            if let ended, ended.exitCode != 0 {
                unexpectedEnds.append("\(name) at the end: \(ended.errors.suffix(400))")
            }
            retire(name)
        }
    }

    private func retire(_ name: String) {
        guard let worker = workers.removeValue(forKey: name) else { return }
        for line in (worker.errors + worker.output).split(separator: "\n") where line.lowercased().contains(mark) {
            leaks.append("\(name): \(line.prefix(200))")
        }
    }
}
