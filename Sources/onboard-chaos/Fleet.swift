import Foundation
import TestKit

/// The worker processes: killed, stopped, started again; and what their deaths cost.
actor Fleet {
    /// How a kill went.
    struct Kill: Sendable {
        let point: Fault
        /// Jobs that the worker held when it died.
        let held: Int
        /// Of these, Connect jobs that may have been sent.
        let markedConnect: Int
        /// Until none of them was its any more.
        let takenOverAfter: Duration
    }

    private let stage: Stage
    private let mark: String
    private var workers: [String: Program] = [:]
    private var count = 0
    private(set) var kills: [Kill] = []
    private(set) var leaks: [String] = []
    private(set) var unexpectedEnds: [String] = []

    init(_ stage: Stage, mark: String) {
        self.stage = stage
        self.mark = mark
    }

    var names: [String] { workers.keys.sorted() }

    func start(clockOffset: String? = nil) throws {
        count += 1
        let name = "worker-\(count)"
        workers[name] = try stage.startWorker(name, clockOffset: clockOffset)
    }

    /// Replaces workers that ended although nobody ended them.
    func mend(to size: Int) throws {
        for (name, worker) in workers where !worker.isRunning {
            unexpectedEnds.append("\(name): \(worker.exitCode ?? 0) \(worker.errors.suffix(400))")
            retire(name)
        }
        while workers.count < size { try start() }
    }

    /// Kills the worker `name`, starts another in its place, and waits until its jobs are taken over.
    func kill(_ name: String, at point: Fault) async throws {
        guard let worker = workers[name] else { return }
        let id = worker.processID
        worker.signal(SIGKILL)
        let start = ContinuousClock.now
        _ = try await worker.ended(within: 10)
        retire(name)
        try self.start()
        let mine = "state = 'running' AND claimed_by LIKE '%/\(id)/%'"
        let held = try await stage.desk.count("SELECT count(*) FROM onboarding.jobs WHERE \(mine)")
        let marked = try await stage.desk.count(
            "SELECT count(*) FROM onboarding.jobs WHERE \(mine) AND provider = 'connect' AND first_sent_at IS NOT NULL")
        var left = held
        while left > 0, ContinuousClock.now - start < .seconds(60) {
            try await Task.sleep(for: .milliseconds(50))
            left = try await stage.desk.count("SELECT count(*) FROM onboarding.jobs WHERE \(mine)")
        }
        kills.append(
            Kill(point: point, held: held, markedConnect: marked, takenOverAfter: ContinuousClock.now - start))
    }

    /// Stops a worker for longer than its lease and lets it go on.
    func stall(_ name: String, for duration: Duration) async throws {
        guard let worker = workers[name] else { return }
        worker.signal(SIGSTOP)
        try await Task.sleep(for: duration)
        worker.signal(SIGCONT)
    }

    /// Asks a worker to end, and checks that it does so properly.
    func terminate(_ name: String, successorClock: String? = nil) async throws {
        guard let worker = workers[name] else { return }
        worker.signal(SIGTERM)
        let ended = try await worker.ended(within: 40)
        // The signal itself: it came before the program had begun to listen for it.
        if ended.exitCode != 0, !(ended.exitCode == SIGTERM && ended.errors.isEmpty) {
            unexpectedEnds.append("\(name) after SIGTERM: \(ended.exitCode) \(ended.errors.suffix(400))")
        }
        retire(name)
        try start(clockOffset: successorClock)
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
