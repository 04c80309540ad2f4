package import JobModel
package import Postgres

extension Queue {
    /// Writes the ends of attempts in one statement; each is fenced by its own token.
    ///
    /// Writing an end twice is harmless, so a caller that does not know whether a write arrived repeats it.
    ///
    /// - Throws: `PostgresError`; then none was written, unless the answer to COMMIT was lost.
    package func complete(_ attempts: [CompletedAttempt]) async throws(PostgresError) -> [WrittenAttempt] {
        let results = attempts.map(\.result)
        let decisions = attempts.map(\.decision)
        let rows = try await run(
            "complete",
            [
                .bigints(attempts.map(\.job.claim.id.value)), .bigints(attempts.map(\.job.claim.token.value)),
                .texts(attempts.map(\.job.worker.value)), .texts(attempts.map(\.job.claimedAt)),
                .integers(attempts.map(\.job.claim.attempt)),
                .texts(attempts.map(\.step.rawValue)), .texts(results.map(\.outcome.rawValue)),
                .texts(decisions.map(\.state.rawValue)), .texts(decisions.map(\.nextStep.rawValue)),
                .bigints(decisions.map(\.delay.milliseconds)), .booleans(decisions.map(\.countsAttempt)),
                .booleans(results.map(\.mayHaveReached)), .booleans(decisions.map(\.provesAbsence)),
                .texts(decisions.map(\.keyUse.rawValue)), .integers(decisions.map(\.muteLookUps)),
                .integers(results.map(\.httpStatus)), .texts(results.map { Self.bounded($0.requestID, 100) }),
                .texts(results.map { Self.bounded($0.providerID, 255) }),
                .texts(results.map { Self.bounded($0.providerStatus, 100) }),
                .texts(results.map { Self.bounded($0.error, 500) }), .texts(decisions.map(\.reason)),
                .bigints(attempts.map(\.sentAge?.milliseconds)), .bigints(decisions.map(\.providerHold?.milliseconds)),
                .texts(attempts.map(\.job.claim.idempotencyKey)), .byteas(attempts.map(\.job.claim.bodySHA256)),
                // A completed job is never sent again, so its request digest is not stored.
                .byteas(attempts.map { $0.decision.state == .completed ? nil : $0.result.requestSHA256 }),
            ])
        var written: [WrittenAttempt] = []
        for row in rows {
            written.append(
                WrittenAttempt(
                    id: JobID(try row.decode(Int64.self, at: 0)), isWritten: try row.decode(Bool.self, at: 2),
                    state: try row.decode(String?.self, at: 3).flatMap(JobState.init(rawValue:))))
        }
        return written
    }

    /// Tells callers that listen what became of jobs; a hint that may be lost.
    package func announce(_ ends: [(job: JobID, state: JobState)]) async throws(PostgresError) {
        _ = try await run("announce", [.bigints(ends.map(\.job.value)), .texts(ends.map(\.state.rawValue))])
    }

    /// Which of these jobs nobody else has locked at this moment; for when a write had to wait for a lock.
    package func unlocked(_ jobs: [JobID]) async throws(PostgresError) -> Set<JobID> {
        let rows = try await run("unlocked_jobs", [.bigints(jobs.map(\.value))])
        var unlocked: Set<JobID> = []
        for row in rows { unlocked.insert(JobID(try row.decode(Int64.self, at: 0))) }
        return unlocked
    }

    /// Text that PostgreSQL takes whatever a provider sent: no NUL, and not longer than its place.
    private static func bounded(_ text: String?, _ limit: Int) -> String? {
        text.map {
            String(
                $0.unicodeScalars.lazy.filter { $0.value != 0 }.prefix(limit).reduce(into: "") {
                    $0.unicodeScalars.append($1)
                })
        }
    }
}
