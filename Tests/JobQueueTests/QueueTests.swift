import JobModel
import JobQueue
import Postgres
import TestKit
import Testing

/// The queue's calls, each against a real database.
@Suite struct QueueTests {
    private static let iron = ProviderName("iron")
    private static let lease = Duration.seconds(60)

    private func withQueue(_ body: (Queue, Session) async throws -> Void) async throws {
        try await withTestDatabase { connectionString in
            let configuration = ConnectionConfiguration(connectionString: connectionString)
            let pool = Pool(configuration, size: 2)
            let connection = try await Connection.open(configuration)
            do {
                try await body(Queue(pool: pool), Session(connection: connection))
            } catch {
                await connection.close()
                await pool.shutdown()
                throw error
            }
            await connection.close()
            await pool.shutdown()
        }
    }

    private func register(_ worker: WorkerID, _ queue: Queue) async throws {
        let registration = try await queue.register(
            worker, host: "host", version: "0", slots: 8, providers: [Self.iron], lease: Self.lease,
            callTimeout: .seconds(30))
        #expect(registration != nil)
    }

    private func claim(
        _ queue: Queue, _ worker: WorkerID, wanted: Int = 100, bytes: Int = 1 << 20, single: Int = 1 << 30,
        cursor: inout ClaimCursor
    ) async throws -> ClaimBatch {
        try await queue.claim(
            Self.iron, for: worker, wanted: wanted, byteBudget: bytes, singleBudget: single, lease: Self.lease,
            cursor: &cursor)
    }

    private func completed(_ job: ClaimedJob, providerID: String? = "record") -> CompletedAttempt {
        var result = CallResult(.succeeded, mayHaveReached: true, httpStatus: 201)
        result.providerID = providerID
        return CompletedAttempt(
            job: job, step: .create, result: result, decision: Decision(.completed, reason: "created"),
            sentAge: .milliseconds(3))
    }

    @Test func `a claim carries what the attempt needs and a completion ends the job`() async throws {
        try await withQueue { queue, session in
            let worker = WorkerID("a")
            try await session.run(SQL.enqueue())
            try await register(worker, queue)
            var cursor = ClaimCursor()
            let batch = try await claim(queue, worker, cursor: &cursor)
            let job = try #require(batch.claims.first)
            #expect(job.claim.kind == JobKind("iron.customer.create"))
            #expect(job.claim.attempt == 1 && job.claim.step == .create && job.claim.firstSentAge == nil)
            #expect(
                try await session.value(
                    "SELECT idempotency_key::text || payload::text || payload_bytes FROM onboarding.jobs")
                    == job.claim.idempotencyKey + String(decoding: job.claim.payload ?? [], as: UTF8.self)
                    + "\(job.claim.payloadBytes)")
            let written = try await queue.complete([completed(job)])
            #expect(written.map(\.isWritten) == [true])
            #expect(written.map(\.state) == [.completed])
            #expect(try await session.value("SELECT provider_id FROM onboarding.jobs") == "record")
        }
    }

    @Test func `claims go by priority, then by time, and go on behind the cursor`() async throws {
        try await withQueue { queue, session in
            let worker = WorkerID("a")
            for priority in [5, 1, 5, 9] {
                try await session.run(
                    SQL.enqueue("iron.customer.create", SQL.person, "priority => \(priority)"))
            }
            try await register(worker, queue)
            var cursor = ClaimCursor()
            var order: [Int64] = []
            for _ in 0..<4 {
                order += try await claim(queue, worker, wanted: 1, cursor: &cursor).claims.map(\.claim.id.value)
            }
            #expect(order == [2, 1, 3, 4])
        }
    }

    @Test func `what lies shortly before the cursor is found by a look back, and the rest by a sweep`() async throws {
        try await withQueue { queue, session in
            let worker = WorkerID("a")
            func enqueue(minutesAgo minutes: Int) async throws {
                try await session.run(
                    SQL.enqueue(
                        "iron.customer.create", SQL.person, "run_at => now() - interval '\(minutes) minutes'"))
            }
            try await register(worker, queue)
            var cursor = ClaimCursor()
            for minutes in [10, 0] {
                try await enqueue(minutesAgo: minutes)
                #expect(try await claim(queue, worker, cursor: &cursor).claims.count == 1)
                cursor.begin(.onward)
            }
            try await enqueue(minutesAgo: 5)
            #expect(try await claim(queue, worker, cursor: &cursor).hint == .empty)
            cursor.begin(.back)
            #expect(try await claim(queue, worker, cursor: &cursor).claims.count == 1)
            try await enqueue(minutesAgo: 60)
            cursor.begin(.back)
            #expect(try await claim(queue, worker, cursor: &cursor).hint == .empty)
            cursor.begin(.sweep)
            #expect(try await claim(queue, worker, cursor: &cursor).claims.count == 1)
        }
    }

    @Test func `a claim brings no more bytes than asked, but one large job may come alone`() async throws {
        try await withQueue { queue, session in
            let worker = WorkerID("a")
            try await session.run(SQL.enqueue() + SQL.enqueue())
            try await register(worker, queue)
            var cursor = ClaimCursor()
            #expect(try await claim(queue, worker, bytes: 10, single: 20, cursor: &cursor).hint == .empty)
            #expect(try await claim(queue, worker, bytes: 10, single: 1000, cursor: &cursor).claims.count == 1)
        }
    }

    @Test func `claims that a worker lost on the way are taken back, those in hand are not`() async throws {
        try await withQueue { queue, session in
            let worker = WorkerID("a")
            try await session.run(SQL.enqueue() + SQL.enqueue() + SQL.enqueue())
            try await register(worker, queue)
            var cursor = ClaimCursor()
            let claims = try await claim(queue, worker, cursor: &cursor).claims.map(\.claim)
            let held = try #require(claims.first).token
            #expect(try await queue.oldClaims(of: worker) == [])
            try await session.run("UPDATE onboarding.jobs SET claimed_at = claimed_at - interval '11 s' WHERE id < 3")
            let suspects = Set(try await queue.oldClaims(of: worker)).subtracting([held])
            #expect(suspects.count == 1)
            // Only what is named: whatever was claimed since, and however late this arrives.
            #expect(try await queue.takeOverThoroughly(by: worker, suspects: [], limit: 10) == 0)
            #expect(try await queue.takeOverThoroughly(by: worker, suspects: Array(suspects), limit: 10) == 1)
            #expect(
                try await session.value("SELECT string_agg(state, ' ' ORDER BY id) FROM onboarding.jobs")
                    == "running available running")
        }
    }

    @Test func `one bad row spoils its batch and nothing else`() async throws {
        try await withQueue { queue, session in
            let worker = WorkerID("a")
            try await session.run(SQL.enqueue() + SQL.enqueue())
            try await register(worker, queue)
            var cursor = ClaimCursor()
            let jobs = try await claim(queue, worker, cursor: &cursor).claims
            // A job cannot be completed without the provider's id.
            let ends = [completed(jobs[0]), completed(jobs[1], providerID: nil)]
            do throws(PostgresError) {
                _ = try await queue.complete(ends)
                Issue.record("the bad row was written")
            } catch {
                #expect(error.sqlState?.isClass("23") == true)
            }
            #expect(try await queue.complete([ends[0]]).map(\.isWritten) == [true])
        }
    }

    @Test func `text that a provider sent is cut to what PostgreSQL takes`() async throws {
        try await withQueue { queue, session in
            let worker = WorkerID("a")
            try await session.run(SQL.enqueue())
            try await register(worker, queue)
            var cursor = ClaimCursor()
            let job = try #require(try await claim(queue, worker, cursor: &cursor).claims.first)
            let end = completed(job, providerID: "a\u{0}b" + String(repeating: "x", count: 1000))
            #expect(try await queue.complete([end]).map(\.isWritten) == [true])
            #expect(try await session.value("SELECT length(provider_id) FROM onboarding.jobs") == "255")
        }
    }
}
