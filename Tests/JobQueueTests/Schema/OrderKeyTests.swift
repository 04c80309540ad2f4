import Postgres
import Testing

/// Jobs of one order key: one at a time, in order, and however many there are they slow no other.
@Suite struct OrderKeyTests {
    private func fill(_ session: Session, _ count: Int, key: String = "k") async throws {
        try await session.run(
            """
            INSERT INTO onboarding.jobs (kind, payload, order_key)
            SELECT 'iron.customer.create', '\(SQL.person)', '\(key)' FROM generate_series(1, \(count));
            """)
    }

    @Test func `the first of a key is claimed, and each end lets the next go`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.worker("a"))
            try await fill(session, 4)
            for (id, outcome, state) in [(1, "succeeded", "completed"), (2, "rejected", "failed")] {
                #expect(try await session.column(SQL.claim("a")) == ["\(id)"])
                #expect(try await session.column(SQL.claim("a")) == [])
                _ = try await session.column(
                    SQL.complete(
                        "a", id, outcome: outcome, state: state, providerID: state == "completed" ? "p-*" : nil))
            }
            try await session.run("SELECT onboarding.cancel(3)")
            #expect(try await session.column(SQL.claim("a")) == ["4"])
        }
    }

    @Test func `the head may end in any way`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.worker("a"))
            try await fill(session, 3)
            // Expired, and then uncertain and resolved.
            try await session.run(
                "UPDATE onboarding.jobs SET expires_at = now() WHERE id = 1; SELECT onboarding.expire_jobs(10)")
            #expect(try await session.column(SQL.claim("a")) == ["2"])
            _ = try await session.column(
                SQL.complete("a", 2, outcome: "ambiguous", state: "uncertain", providerID: nil))
            #expect(try await session.column(SQL.claim("a")) == [])
            try await session.run("SELECT onboarding.resolve(2, 'happened', 'p-1', 'seen')")
            #expect(try await session.column(SQL.claim("a")) == ["3"])
        }
    }

    @Test func `a hundred thousand behind one head cost a claim nothing`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.worker("a"))
            try await session.run("SET statement_timeout = '120s'")
            try await session.connection.run(
                script: """
                    INSERT INTO onboarding.jobs (kind, payload, order_key)
                    SELECT 'iron.customer.create', '\(SQL.person)', 'k' FROM generate_series(1, 100000);
                    INSERT INTO onboarding.jobs (kind, payload)
                    SELECT 'iron.customer.create', '\(SQL.person)' FROM generate_series(1, 10);
                    """, timeout: .seconds(120))
            let start = ContinuousClock.now
            #expect(try await session.column(SQL.claim("a")).count == 11)
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(
                try await session.value("SELECT due > 99990 FROM onboarding.queue_health WHERE provider = 'iron'")
                    == "true")
        }
    }

    @Test func `of two ends at one moment one is told of the next in line`() async throws {
        try await withSessions(2) { sessions in
            let (completer, canceller) = (sessions[0], sessions[1])
            try await completer.run(SQL.worker("a"))
            try await fill(completer, 3)
            #expect(try await completer.column(SQL.claim("a")) == ["1"])
            // The canceller ends the next in line while its head still runs; the end of the head does not wait for it.
            try await canceller.run("BEGIN; SELECT onboarding.cancel(2)")
            try await completer.run("SET lock_timeout = '300ms'")
            #expect(try await completer.column(SQL.complete("a", 1)) == ["t"])
            try await canceller.run("COMMIT")
            #expect(try await completer.value("onboarding.repair_ends(10)") == "1")
            #expect(try await completer.column(SQL.claim("a")) == ["3"])
        }
    }

    @Test func `a job that comes back is behind only what is in front of it`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.worker("a"))
            try await fill(session, 3)
            try await session.run(
                "SELECT onboarding.cancel(2); SELECT onboarding.cancel(1); SELECT onboarding.retry(2)")
            #expect(try await session.value("SELECT is_behind FROM onboarding.jobs WHERE id = 2") == "false")
            #expect(try await session.value("onboarding.has_work('{iron}')") == "true")
            #expect(try await session.column(SQL.claim("a")) == ["2"])
            // One that comes back in front of what runs does not run beside it, and what comes back behind waits.
            try await session.run("SELECT onboarding.cancel(3); SELECT onboarding.retry(3); SELECT onboarding.retry(1)")
            #expect(try await session.column(SQL.claim("a")) == [])
            #expect(
                try await session.value("SELECT detail FROM onboarding.why(3) WHERE reason = 'order'")
                    == "job 1 of the same order_key is available")
            _ = try await session.column(SQL.complete("a", 2))
            #expect(try await session.column(SQL.claim("a")) == ["1"])
        }
    }

    @Test func `of two that were inserted unseen by each other one is claimed`() async throws {
        try await withSessions(2) { sessions in
            let (first, second) = (sessions[0], sessions[1])
            try await first.run(SQL.worker("a"))
            try await first.run("BEGIN")
            try await fill(first, 1)
            try await fill(second, 1)
            try await first.run("COMMIT")
            #expect(try await first.value("SELECT count(*) FROM onboarding.jobs WHERE is_behind") == "0")
            #expect(try await first.column(SQL.claim("a")) == ["1"])
            #expect(try await first.column(SQL.claim("a")) == [])
            _ = try await first.column(SQL.complete("a", 1))
            #expect(try await first.column(SQL.claim("a")) == ["2"])
        }
    }

    @Test func `two claims that do not see each other do not both commit`() async throws {
        try await withSessions(2) { sessions in
            let (first, second) = (sessions[0], sessions[1])
            try await first.run(SQL.worker("a"))
            try await fill(first, 2)
            try await first.run("SELECT onboarding.cancel(1)")
            // The second of the key is being claimed while the first comes back.
            try await first.run("BEGIN")
            #expect(try await first.column(SQL.claim("a")) == ["2"])
            try await second.run("SELECT onboarding.retry(1)")
            try await second.run("SET lock_timeout = '300ms'")
            await #expect(throws: PostgresError.self) { try await second.column(SQL.claim("a")) }
            try await first.run("COMMIT")
            #expect(try await second.column(SQL.claim("a")) == [])
            _ = try await first.column(SQL.complete("a", 2))
            #expect(try await second.column(SQL.claim("a")) == ["1"])
        }
    }

    @Test(arguments: [true, false])
    func `what was inserted while its head ended unseen is let go at its commit`(isOpen: Bool) async throws {
        try await withSessions(2) { sessions in
            let (worker, caller) = (sessions[0], sessions[1])
            try await worker.run(SQL.worker("a"))
            try await fill(worker, 1)
            #expect(try await worker.column(SQL.claim("a")) == ["1"])
            try await caller.run("BEGIN")
            try await fill(caller, 1)
            if isOpen { try await worker.run("BEGIN") }
            _ = try await worker.column(SQL.complete("a", 1))
            try await caller.run("SET lock_timeout = '300ms'")
            try await caller.run("COMMIT")
            if isOpen {
                // A repair that comes too early keeps the note.
                _ = try await caller.value("onboarding.repair_ends(10)")
                try await worker.run("COMMIT")
                #expect(try await worker.column(SQL.claim("a")) == [])
                #expect(
                    try await worker.value("SELECT detail FROM onboarding.why(2) WHERE reason = 'order'")
                        == "the job before it of the same order_key has ended: it is let go within seconds")
                _ = try await worker.value("onboarding.repair_ends(10)")
            }
            #expect(try await worker.column(SQL.claim("a")) == ["2"])
        }
    }

    @Test(arguments: ["REPEATABLE READ", "SERIALIZABLE"])
    func `what was inserted in a snapshot from before its head's end is let go by the repair`(isolation: String)
        async throws
    {
        try await withSessions(2) { sessions in
            let (worker, caller) = (sessions[0], sessions[1])
            try await worker.run(SQL.worker("a"))
            try await fill(worker, 1)
            #expect(try await worker.column(SQL.claim("a")) == ["1"])
            try await caller.run("BEGIN ISOLATION LEVEL \(isolation)")
            try await fill(caller, 1)
            _ = try await worker.column(SQL.complete("a", 1))
            try await caller.run("COMMIT")
            #expect(try await worker.value("onboarding.has_work('{iron}')") == "true")
            #expect(try await worker.value("onboarding.repair_ends(10)") == "1")
            #expect(try await worker.column(SQL.claim("a")) == ["2"])
        }
    }

    @Test func `the repair walks all keys in turns`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            for key in ["a", "b", "c"] { try await fill(session, 2, key: key) }
            #expect(
                try await session.value("SELECT r::text FROM onboarding.repair_order_keys(2, NULL, NULL) r")
                    == "(iron,b)")
            #expect(
                try await session.value("SELECT r::text FROM onboarding.repair_order_keys(2, 'iron', 'b') r") == "(,)")
        }
    }
}
