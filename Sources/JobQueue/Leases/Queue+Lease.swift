package import JobModel
package import Postgres

extension Queue {
    /// Signs a worker on; nil when its name is taken.
    ///
    /// - Parameter callTimeout: the longest that one of its provider calls may take; the effect horizon depends on it.
    package func register(
        _ worker: WorkerID, host: String, version: String, slots: Int, providers: [ProviderName], lease: Duration,
        callTimeout: Duration
    ) async throws(PostgresError) -> Registration? {
        let rows = try await run(
            "register_worker",
            [
                .text(worker.value), .text(host), .text(version), .integer(slots), .texts(providers.map(\.value)),
                .integer(Int(lease.milliseconds)), .integer(Int(callTimeout.milliseconds)),
            ])
        guard let row = rows.first, try row.decode(Bool?.self, at: 0) == true else { return nil }
        return Registration(unwatchedJump: try row.decode(Int64?.self, at: 1).map { .milliseconds($0) })
    }

    /// Renews a lease; not held when it has ended: the jobs are being taken over and must be dropped. And reads the
    /// database's clock, as the time since 1970.
    ///
    /// Gives up after a quarter of the lease, so that a link that went silent leaves time for another.
    package func renewLease(
        of worker: WorkerID, lease: Duration, inFlight: Int, isDraining: Bool
    ) async throws(PostgresError) -> (isHeld: Bool, clock: Duration?) {
        let rows = try await run(
            "renew_lease",
            [.text(worker.value), .integer(Int(lease.milliseconds)), .integer(inFlight), .boolean(isDraining)],
            timeout: lease / 4)
        guard let row = rows.first else { return (false, nil) }
        return (try row.decode(Bool.self, at: 0), .milliseconds(try row.decode(Int64.self, at: 1)))
    }

    /// Notes that the database's clock jumped, back if `jump` is negative; returns whether to call again, since many waits
    /// were set before it went back.
    package func noteClockJump(_ jump: Duration) async throws(PostgresError) -> Bool {
        let moved: Int = try await value("note_clock_jump", [.bigint(jump.milliseconds)])
        return moved >= 5000
    }

    /// Signs a worker off; what it still holds is taken over at once.
    package func remove(_ worker: WorkerID) async throws(PostgresError) {
        _ = try await run("remove_worker", [.text(worker.value)])
    }

    /// Takes over up to `limit` jobs of workers that are known to be gone; returns how many.
    ///
    /// Costs next to nothing when no worker is.
    package func takeOver(by worker: WorkerID, limit: Int) async throws(PostgresError) -> Int {
        try await value("take_over", [.text(worker.value), .bigints([]), .integer(limit), .boolean(false)])
    }

    /// Looks at every running job: takes over also those of workers that nobody knows, and of the claims of `worker`
    /// itself those that are suspect.
    ///
    /// As long as some transaction holds an old snapshot it walks whatever ran since, so it is for now and then.
    package func takeOverThoroughly(
        by worker: WorkerID, suspects: [ClaimToken], limit: Int
    ) async throws(PostgresError) -> Int {
        try await value(
            "take_over", [.text(worker.value), .bigints(suspects.map(\.value)), .integer(limit), .boolean(true)])
    }

    /// What `worker` claimed more than ten seconds ago and is running still. What it does not hold of them by the time
    /// of the answer is suspect: the answer to its claim was lost, or its end could not be written.
    ///
    /// Those ten seconds are twice what a claim may take, so that none is suspected on its way.
    package func oldClaims(of worker: WorkerID) async throws(PostgresError) -> [ClaimToken] {
        let rows = try await run("old_claims", [.text(worker.value)])
        var tokens: [ClaimToken] = []
        for row in rows { tokens.append(ClaimToken(try row.decode(Int64.self, at: 0))) }
        return tokens
    }

    /// Lets go what waits for a job that has ended, among up to `limit` blocked jobs after `last`; returns the last one
    /// looked at, nil at the end.
    package func repairBlocked(after last: JobID?, limit: Int) async throws(PostgresError) -> JobID? {
        let id: Int64? = try await value("repair_blocked", [.integer(limit), .bigint(last?.value)])
        return id.map(JobID.init)
    }

    /// Fails up to `limit` jobs whose time is over; returns how many.
    package func expireJobs(limit: Int) async throws(PostgresError) -> Int {
        try await value("expire_jobs", [.integer(limit)])
    }

    /// Lets go what stands behind a job that has gone, for up to `limit` order keys after `last`; returns the last
    /// one looked at, nil at the end.
    package func repairOrderKeys(
        after last: OrderKey?, limit: Int
    ) async throws(PostgresError) -> OrderKey? {
        let rows = try await run(
            "repair_order_keys",
            [.integer(limit), .texts([last?.provider]), .texts([last?.key])])
        guard let row = rows.first, let provider = try row.decode(String?.self, at: 0),
            let key = try row.decode(String?.self, at: 1)
        else { return nil }
        return OrderKey(provider: provider, key: key)
    }

    /// Sees to up to `limit` ends that could not be settled because somebody had locked what depends on them; returns how
    /// many were tried.
    package func repairEnds(limit: Int) async throws(PostgresError) -> Int {
        try await value("repair_ends", [.integer(limit)])
    }

    /// Whether anything of `providers` is due, running, waiting for another attempt, or blocked on such.
    package func hasWork(_ providers: [ProviderName]) async throws(PostgresError) -> Bool {
        try await value("has_work", [.texts(providers.map(\.value))])
    }
}

/// An order key of one provider.
package struct OrderKey: Sendable, Equatable {
    let provider: String
    let key: String
}

/// A worker that was signed on.
package struct Registration: Sendable {
    /// By how much the database's clock was set back, at most zero, while nobody watched it; nil when another worker did.
    package let unwatchedJump: Duration?
}
