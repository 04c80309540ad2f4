import Postgres
import TestKit

/// The callers: commit jobs at a rate, and remember which commits they were told of.
actor Loader {
    private let stage: Stage
    private let mark: String
    private(set) var committed: [Int64] = []
    private(set) var refused = 0
    private var number = 0
    private var isStopped = false

    init(_ stage: Stage, mark: String) {
        self.stage = stage
        self.mark = mark
    }

    /// Ends `run` after the transaction at hand.
    func stop() { isStopped = true }

    /// Loads until stopped or cancelled, `rate` calls a second in transactions of a tenth of that.
    func run(rate: Int) async throws {
        let pool = Pool(
            ConnectionConfiguration(connectionString: stage.callersURL, applicationName: "caller"), size: 1)
        let batch = max(1, rate / 10)
        var next = ContinuousClock.now
        while !isStopped, !Task.isCancelled {
            next += .milliseconds(1000 * batch / rate)
            let first = number
            number += batch
            do {
                // Every thirteenth transaction changes its mind: its jobs must never be seen.
                let isWithdrawn = (first / batch) % 13 == 12
                let ids = try await pool.withTransaction { connection in
                    let rows = try await connection.query(
                        Statement(
                            "SELECT j FROM generate_series(\(first), \(first + batch - 1)) n, chaos.enqueue(n, $1) j",
                            parameters: [.text(mark)]))
                    if isWithdrawn { throw Withdrawn() }
                    return try rows.map { try $0.decode(Int64.self, at: 0) }
                }
                committed += ids
            } catch {
                // Not known to be committed: the campaign demands nothing of it. Its number is not used again.
                refused += 1
            }
            // Cancelled: the loop ends.
            try? await Task.sleep(until: next)
        }
        await pool.shutdown()
    }

    private struct Withdrawn: Error {}
}
