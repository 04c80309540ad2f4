import JobModel
import JobQueue
import Postgres

/// The sweeps that find what an end could not tell to those that wait for it: a lock was in the way, or the two met unseen.
///
/// Each keeps its place, so that a turn is short however much there is to look at.
struct Repairs: Sendable {
    /// How many ends, order keys and blocked jobs a turn looks at.
    private static let ends = 500
    private static let orderKeys = 200
    private static let blocked = 500
    /// How many turns a whole sweep has at most.
    private static let turns = 10_000

    private var lastKey: OrderKey?
    private var lastBlocked: JobID?

    /// Looks at some more order keys.
    mutating func nextOrderKeys(of queue: Queue) async throws(PostgresError) {
        lastKey = try await queue.repairOrderKeys(after: lastKey, limit: Self.orderKeys)
    }

    /// Looks at some more blocked jobs.
    mutating func nextBlocked(of queue: Queue) async throws(PostgresError) {
        lastBlocked = try await queue.repairBlocked(after: lastBlocked, limit: Self.blocked)
    }

    /// Tries again what is noted as not settled.
    static func ends(of queue: Queue) async throws(PostgresError) {
        // What is still locked is noted anew: a bound, for it would be tried for ever.
        for _ in 0..<20 where try await queue.repairEnds(limit: Self.ends) < Self.ends { return }
    }

    /// One whole sweep of each.
    static func all(of queue: Queue) async throws(PostgresError) {
        try await ends(of: queue)
        var repairs = Repairs()
        for _ in 0..<turns {
            try await repairs.nextOrderKeys(of: queue)
            if repairs.lastKey == nil { break }
        }
        for _ in 0..<turns {
            try await repairs.nextBlocked(of: queue)
            if repairs.lastBlocked == nil { break }
        }
    }
}
