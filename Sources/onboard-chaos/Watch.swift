import NIOConcurrencyHelpers

/// Looks, all the time, for jobs that a worker still holds although its lease has ended.
actor Watch {
    private let stage: Stage
    private let calm: Calm
    private var isStopped = false
    private var firstSeen: [String: ContinuousClock.Instant] = [:]
    /// The longest that any job was left so in calm time.
    private(set) var longest = Duration.zero
    private(set) var violations: [(job: String?, problem: String)] = []

    /// A job is taken over within fifteen seconds of its worker's death: within five of the end of its lease, which is ten
    /// seconds. One more for the looks here.
    private static let limit: Duration = .seconds(6)

    /// What somebody else has locked is passed by: a caller's lock may delay its own job.
    private static let abandoned = """
        SELECT j.claim_token::text, j.id::text FROM onboarding.jobs j WHERE j.state = 'running' AND NOT EXISTS (
            SELECT 1 FROM onboarding.worker_leases w WHERE w.id = j.claimed_by AND w.lease_expires_at > clock_timestamp())
        FOR NO KEY UPDATE OF j SKIP LOCKED
        """

    init(_ stage: Stage, _ calm: Calm) {
        self.stage = stage
        self.calm = calm
    }

    /// Ends `run` after the look at hand.
    func stop() { isStopped = true }

    func run() async throws {
        while !isStopped, !Task.isCancelled {
            let start = ContinuousClock.now
            let rows = try await stage.desk.rows(Self.abandoned, columns: 2)
            note(rows, after: ContinuousClock.now - start)
            // Cancelled: the loop ends.
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func note(_ rows: [[String?]], after waited: Duration) {
        // A look that took long met a database that was away: what was seen before says nothing.
        if waited > .seconds(2) { firstSeen = [:] }
        var seen: [String: ContinuousClock.Instant] = [:]
        for row in rows {
            guard let token = row[0] else { continue }
            let since = firstSeen[token] ?? .now
            seen[token] = since
            let left = calm.time(since: since)
            longest = max(longest, left)
            if left > Self.limit, violations.last?.job != row[1] {
                violations.append((row[1], "its worker's lease ended \(left) ago"))
            }
        }
        firstSeen = seen
    }
}
