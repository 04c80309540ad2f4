import Postgres
import Testing

/// Steps of maintenance that fail, for whatever reason of others, and what goes on beside them.
@Suite struct UpkeepTests {
    /// Jobs 1 to 4, of which the first three ended long ago, and a partition that is old enough to be dropped.
    private func fill(_ session: Session) async throws {
        try await session.run(
            """
            INSERT INTO onboarding.jobs (kind, payload) SELECT 'iron.customer.create', '\(SQL.person)' FROM generate_series(1, 4);
            SET CONSTRAINTS ALL IMMEDIATE;
            ALTER TABLE onboarding.jobs DISABLE TRIGGER jobs_legal_transition;
            UPDATE onboarding.jobs SET state = 'completed', provider_id = 'p', finished_at = now() - interval '90 days' WHERE id < 4;
            ALTER TABLE onboarding.jobs ENABLE TRIGGER jobs_legal_transition;
            DROP TABLE onboarding.attempts_first;
            SELECT onboarding.add_partition('attempts', now() - interval '3 months');
            INSERT INTO onboarding.ended (provider, completed, failed) VALUES ('iron', 1, 0);
            UPDATE onboarding.kinds SET keep_finished = '30 days' WHERE kind = 'iron.customer.create';
            UPDATE onboarding.maintenance SET keep_history = '32 days', last_run_at = '-infinity';
            """)
    }

    private static let again = "UPDATE onboarding.maintenance SET last_run_at = '-infinity'"
    private static let failures = "SELECT step || ' ' || code FROM onboarding.upkeep_failures ORDER BY 1"

    @Test func `every table can be published with its deletes`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            let withoutIdentity = try await a.column(
                """
                SELECT c.relname FROM pg_class c
                WHERE c.relnamespace = 'onboarding'::regnamespace AND c.relkind IN ('r', 'p') AND c.relreplident <> 'f'
                  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
                """)
            #expect(withoutIdentity == [])
            try await fill(a)
            try await a.run("CREATE PUBLICATION everything FOR ALL TABLES")
            #expect(try await a.value("onboarding.maintain(10)") == "(1,1,3)")
            #expect(try await a.column(Self.failures) == [])
            #expect(try await a.value("(SELECT count(*) FROM onboarding.ended)") == "0")
        }
    }

    /// What others may have put in the way of a step, and what `maintain` then returns and keeps.
    static let obstacles: [(String, String, String)] = [
        // A reference of the company's own, checked at once or at the commit.
        (
            "CREATE TABLE accounts (job_id bigint REFERENCES onboarding.jobs (id)); INSERT INTO accounts VALUES (2)",
            "(1,1,2)", "delete finished jobs of iron.customer.create 23503"
        ),
        (
            """
            CREATE TABLE accounts (job_id bigint REFERENCES onboarding.jobs (id) DEFERRABLE INITIALLY DEFERRED);
            INSERT INTO accounts VALUES (2)
            """, "(1,1,2)", "delete finished jobs of iron.customer.create 23503"
        ),
        (
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
            CREATE TRIGGER refuse BEFORE DELETE ON onboarding.ended FOR EACH ROW EXECUTE FUNCTION refuse()
            """, "(1,1,3)", "count ends by minute P0001"
        ),
        (
            """
            DO $$ BEGIN EXECUTE format('CREATE VIEW old AS SELECT 1 AS one FROM %s', (
                SELECT i.inhrelid::regclass FROM pg_inherits i WHERE i.inhparent = 'onboarding.attempts'::regclass
                ORDER BY onboarding.partition_end(i.inhrelid) LIMIT 1)); END $$
            """, "(1,0,3)", "drop the partition onboarding.attempts_* 2BP01"
        ),
        // Somebody's own partition lies across the month that is to be made.
        (
            """
            DO $$ BEGIN EXECUTE format('CREATE TABLE own PARTITION OF onboarding.attempts FOR VALUES FROM (%L) TO (%L)',
                now() - interval '3 days', now() - interval '2 days'); END $$
            """, "(0,1,3)", "make the partition of attempts for * 42P17"
        ),
    ]

    @Test(arguments: obstacles)
    func `what one step cannot do keeps no other from being done`(
        obstacle: String, result: String, failed: String
    ) async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await fill(a)
            try await a.run(obstacle)
            #expect(try await a.value("onboarding.maintain(10)") == result)
            let kept = try await a.value(
                "(SELECT string_agg(step || ' ' || code, ', ') FROM onboarding.upkeep_failures)")
            #expect(kept?.replacing(/(attempts_|for )[\d-]+/, with: { "\($0.output.1)*" }) == failed)
            let since = try await a.value("(SELECT min(since) FROM onboarding.upkeep_failures)")
            try await a.run(Self.again)
            _ = try await a.value("onboarding.maintain(10)")
            #expect(try await a.value("(SELECT min(since) FROM onboarding.upkeep_failures)") == since)
        }
    }

    @Test func `a job that cannot be deleted holds up none of the others, in small turns as well`() async throws {
        try await withSessions { sessions in
            let a = sessions[0]
            try await fill(a)
            try await a.run(
                "CREATE TABLE accounts (job_id bigint REFERENCES onboarding.jobs (id)); INSERT INTO accounts VALUES (1)"
            )
            for _ in 0..<4 {
                try await a.run(Self.again)
                _ = try await a.value("onboarding.maintain(1)")
            }
            #expect(try await a.column("SELECT id FROM onboarding.jobs ORDER BY id") == ["1", "4"])
            try await a.run("DELETE FROM accounts")
            for _ in 0..<3 {
                try await a.run(Self.again)
                _ = try await a.value("onboarding.maintain(1)")
            }
            #expect(try await a.column("SELECT id FROM onboarding.jobs ORDER BY id") == ["4"])
            #expect(try await a.column(Self.failures) == [])
        }
    }
}
