package import JobModel
package import Postgres

extension Queue {
    /// Claims up to `wanted` due jobs of `provider` and moves `cursor` behind them.
    ///
    /// - Parameters:
    ///   - byteBudget: how many bytes of payload may come with the claims.
    ///   - singleBudget: how many bytes one that is larger than that may have to come alone.
    ///   - lease: what the job's row shows as the end of its lease; the worker's own row decides.
    package func claim(
        _ provider: ProviderName, for worker: WorkerID, wanted: Int, byteBudget: Int, singleBudget: Int,
        lease: Duration, cursor: inout ClaimCursor
    ) async throws(PostgresError) -> ClaimBatch {
        let positions = cursor.positions
        let began = ContinuousClock.now
        let rows = try await run(
            "claim",
            [
                .text(worker.value), .text(provider.value), .integer(wanted), .bigint(Int64(byteBudget)),
                .bigint(Int64(singleBudget)), .integer(Int(lease.milliseconds)),
                .texts(ClaimCursor.priorities.map(String.init)), .texts(positions.map(\.?.runAt)),
                .bigints(positions.map(\.?.id)),
            ], timeout: .seconds(5))
        var batch = ClaimBatch()
        if let row = rows.first { batch.clock = .milliseconds(try row.decode(Int64.self, at: 30)) }
        var last: [Int: ClaimCursor.Position] = [:]
        for row in rows {
            guard let id = try row.decode(Int64?.self, at: 0) else {
                batch.hint = ClaimBatch.Hint(rawValue: try row.decode(String.self, at: 28)) ?? .unknown
                batch.wait = try row.decode(Int?.self, at: 29).map { .milliseconds($0) }
                continue
            }
            batch.claims.append(try ClaimedJob(row, id: id, worker: worker, began: began))
            let priority = try row.decode(Int.self, at: 26)
            let position = ClaimCursor.Position(runAt: try row.decode(String.self, at: 27), id: id)
            if last[priority].map({ $0 < position }) ?? true { last[priority] = position }
            if cursor.isFarBack(position, priority: priority) { batch.cameFromFarBack = true }
        }
        // A limit kept the claim from looking; a sweep is still to be made.
        if batch.looked { cursor.claimed(last) }
        return batch
    }

    /// Writes that requests may have been sent, each with its digest; only the claims that come back may be.
    package func markSent(
        _ requests: [(claim: Claim, digest: [UInt8]?)], by worker: WorkerID
    ) async throws(PostgresError) -> Set<ClaimToken> {
        let rows = try await run(
            "mark_sent",
            [
                .text(worker.value), .bigints(requests.map(\.claim.id.value)),
                .bigints(requests.map(\.claim.token.value)), .byteas(requests.map(\.digest)),
            ])
        var marked: Set<ClaimToken> = []
        for row in rows { marked.insert(ClaimToken(try row.decode(Int64.self, at: 0))) }
        return marked
    }
}

extension ClaimedJob {
    fileprivate convenience init(
        _ row: Row, id: Int64, worker: WorkerID, began: ContinuousClock.Instant
    ) throws(PostgresError) {
        var claim = Claim(
            id: JobID(id), token: ClaimToken(try row.decode(Int64.self, at: 1)),
            kind: JobKind(try row.decode(String.self, at: 2)),
            step: Step(rawValue: try row.decode(String.self, at: 3)) ?? .create,
            attempt: try row.decode(Int.self, at: 4), maxAttempts: try row.decode(Int.self, at: 5),
            idempotencyKey: try row.decode(String.self, at: 7), payload: try row.decode([UInt8].self, at: 8),
            payloadBytes: try row.decode(Int.self, at: 9), bodySHA256: try row.decode([UInt8].self, at: 10))
        claim.backoffStep = try row.decode(Int.self, at: 6)
        claim.parameters = Array(try row.decode(String.self, at: 11).utf8)
        claim.afterProviderID = try row.decode(String?.self, at: 12)
        claim.traceparent = try row.decode(String?.self, at: 13)
        claim.remaining = try row.decode(Int64?.self, at: 14).map { .milliseconds($0) }
        claim.firstSentAge = try row.decode(Int64?.self, at: 15).map { .milliseconds($0) }
        claim.lastSentAge = try row.decode(Int64?.self, at: 16).map { .milliseconds($0) }
        claim.effectHorizon = .milliseconds(try row.decode(Int64.self, at: 17))
        claim.isCancelled = try row.decode(Bool.self, at: 18)
        claim.muteLookUps = try row.decode(Int.self, at: 19)
        claim.muteAge = try row.decode(Int64?.self, at: 20).map { .milliseconds($0) }
        claim.lastCreateStatus = try row.decode(Int?.self, at: 21)
        claim.requestSHA256 = try row.decode([UInt8]?.self, at: 22)
        if let id = try row.decode(String?.self, at: 23) {
            claim.evidence = Claim.Evidence(providerID: id, providerStatus: try row.decode(String?.self, at: 24))
        }
        self.init(
            claim: claim, worker: worker, claimedAt: try row.decode(String.self, at: 25), claimedAfter: began)
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    package var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
