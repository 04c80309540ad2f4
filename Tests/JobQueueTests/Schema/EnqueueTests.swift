import Postgres
import Testing

@Suite struct EnqueueTests {
    @Test func `nobody without a role may execute a function`() async throws {
        try await withSessions { sessions in
            let open = try await sessions[0].column(
                """
                SELECT p.proname FROM pg_proc p
                WHERE p.pronamespace = 'onboarding'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
                """)
            #expect(open == [])
        }
    }

    @Test(arguments: [
        ("kind", "INSERT INTO onboarding.jobs (kind, payload) VALUES ('nope', '{}')"),
        ("kind", "INSERT INTO onboarding.jobs (payload) VALUES ('{}')"),
        ("payload", "INSERT INTO onboarding.jobs (kind, payload) VALUES ('iron.customer.create', '[]')"),
        ("payload", "INSERT INTO onboarding.jobs (kind) VALUES ('iron.customer.create')"),
        (
            "payload",
            "INSERT INTO onboarding.jobs (kind, payload) VALUES ('iron.customer.create', '{\"email\": \"a@b.c\"}')"
        ),
        ("priority", SQL.enqueue("iron.customer.create", SQL.person, "priority => -1")),
        ("priority", SQL.enqueue("iron.customer.create", SQL.person, "priority => 10")),
        ("priority", SQL.enqueue("iron.customer.create", SQL.person, "priority => 70000")),
        ("run_at", SQL.enqueue("iron.customer.create", SQL.person, "run_at => 'infinity'")),
        ("run_at", SQL.enqueue("iron.customer.create", SQL.person, "run_at => NULL")),
        ("expires_at", SQL.enqueue("iron.customer.create", SQL.person, "expires_at => 'infinity'")),
        ("expires_at", SQL.enqueue("iron.customer.create", SQL.person, "expires_at => now() - interval '1 h'")),
        ("max_attempts", SQL.enqueue("iron.customer.create", SQL.person, "max_attempts => 0")),
        ("reference", SQL.enqueue("iron.customer.create", SQL.person, "reference => repeat('x', 256)")),
        ("unique_key", SQL.enqueue("iron.customer.create", SQL.person, "unique_key => ''")),
        ("order_key", SQL.enqueue("iron.customer.create", SQL.person, "order_key => repeat('x', 256)")),
        ("follow", SQL.enqueue("iron.customer.create", SQL.person, "follow => 'decided'")),
        ("follow", SQL.enqueue("iron.customer.create", SQL.person, "follow => 'later'")),
        ("traceparent", SQL.enqueue("iron.customer.create", SQL.person, "traceparent => 'abc'")),
        ("parameters", SQL.enqueue("iron.customer.create", SQL.person, "parameters => '[]'")),
        ("parameters", SQL.enqueue("iron.customer.create", SQL.person, "parameters => '{\"x\": \"y\"}'")),
        ("parameters", SQL.enqueue("iron.customer.create", SQL.person, "parameters => '{\"customer_id\": 7}'")),
        ("parameters", SQL.enqueue("iron.customer.create", SQL.person, "parameters => '{\"customer_id\": \"a/b\"}'")),
        ("parameters", SQL.enqueue("iron.identification.create", "{\"type\": \"Direct\"}")),
        ("after_job_id", SQL.enqueue("iron.customer.create", SQL.person, "after_job_id => 4711")),
    ])
    func `what is plainly wrong is refused, by the name of its field`(field: String, statement: String) async throws {
        try await withSessions { sessions in
            let refusal = await sessions[0].error(statement)
            let jobs = try await sessions[0].value("SELECT count(*) FROM onboarding.jobs")
            #expect(refusal?.sqlState?.code == "23514")
            #expect(refusal?.column == field)
            #expect(refusal?.message.hasPrefix("onboarding: \(field) ") == true)
            #expect(jobs == "0")
        }
    }

    @Test(arguments: [#"{"a": "\ud800"}"#, #"{"a": "\u0000"}"#, "{\"a\": 1"])
    func `what is no JSON is PostgreSQL's to refuse`(payload: String) async throws {
        try await withSessions { sessions in
            let error = await sessions[0].error(SQL.enqueue("iron.customer.create", payload))
            #expect(error?.sqlState?.code.hasPrefix("22") == true)
        }
    }

    @Test func `no error repeats the payload`() async throws {
        try await withSessions { sessions in
            let marked = #"{"customer_type": "Person", "email": "SECRET-MARK@example.com"}"#
            let statements = [
                "INSERT INTO onboarding.jobs (kind, payload, priority) VALUES ('iron.customer.create', '\(marked)', NULL)",
                "INSERT INTO onboarding.jobs (kind, payload, idempotency_key) SELECT 'iron.customer.create', '\(marked)', '8d3f0d36-3a2c-4f0e-9a4f-0d8f5b1c7a11' FROM generate_series(1, 2)",
                "INSERT INTO onboarding.jobs (kind, payload, created_at) VALUES ('iron.customer.create', '\(marked)', NULL)",
            ]
            for statement in statements.prefix(2) {
                let error = await sessions[0].error(statement)
                #expect(!String(describing: error).contains("SECRET-MARK"))
            }
        }
    }

    @Test func `a unique key gives back the job that is there, and refuses another payload`() async throws {
        try await withSessions { sessions in
            let call = "onboarding.enqueue('iron.customer.create', '\(SQL.person)', unique_key => 'u')"
            let first = try await sessions[0].value(call)
            #expect(try await sessions[0].value(call) == first)
            let other = SQL.enqueue(
                "iron.customer.create", #"{"customer_type": "Business", "email": "x@example.com"}"#, "unique_key => 'u'"
            )
            let error = await sessions[0].error(other)
            #expect(error?.sqlState?.code == "23505")
            #expect(error?.message.contains("another payload") == true)
            #expect(try await sessions[0].value("SELECT count(*) FROM onboarding.jobs") == "1")
        }
    }

    @Test func `an enqueue that is repeated after its end is still the same job`() async throws {
        try await withSessions { sessions in
            let call = SQL.enqueue(
                "iron.customer.create", SQL.person,
                "unique_key => 'u', run_at => now() - interval '1 h', expires_at => clock_timestamp() + interval '50 ms'"
            )
            try await sessions[0].run(call)
            try await sessions[0].run("SELECT pg_sleep(0.1)")
            let again = "unique_key => 'u', expires_at => now() - interval '1 s'"
            try await sessions[0].run(SQL.enqueue("iron.customer.create", SQL.person, again))
            #expect(try await sessions[0].value("SELECT count(*) FROM onboarding.jobs") == "1")
        }
    }

    @Test func `an identification follows an Iron customer, or names its own`() async throws {
        try await withSessions { sessions in
            let session = sessions[0]
            try await session.run(SQL.enqueue("connect.individual.create", SQL.connect))
            let identification = { SQL.enqueue("iron.identification.create", #"{"type": "Direct"}"#, $0) }
            #expect(await session.error(identification("after_job_id => 1"))?.column == "parameters")
            try await session.run(
                identification(#"after_job_id => 1, parameters => '{"customer_id": "c-1"}'"#)
                    + SQL.enqueue() + identification("after_job_id => 4"))
        }
    }

    @Test func `a monitor sees what holds the horizon, and since when`() async throws {
        try await withSessions(2) { sessions in
            try await sessions[1].run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
            try await sessions[0].run("SET ROLE onboarding_monitor")
            let rows = "SELECT count(*) FROM onboarding.vacuum_horizon WHERE since IS NOT NULL AND state IS NOT NULL"
            #expect(try await sessions[0].value("(\(rows)) > 0") == "true")
            try await sessions[1].run("ROLLBACK")
        }
    }

    @Test func `a caller cannot write what is the worker's`() async throws {
        try await withSessions { sessions in
            try await sessions[0].run(SQL.enqueue())
            try await sessions[0].run("SET ROLE onboarding_enqueuer")
            for statement in [
                "INSERT INTO onboarding.jobs (kind, payload, state) VALUES ('iron.customer.create', '\(SQL.person)', 'completed')",
                "UPDATE onboarding.jobs SET state = 'completed'", "DELETE FROM onboarding.jobs",
                "SELECT payload FROM onboarding.jobs", "SELECT idempotency_key FROM onboarding.jobs",
                "SELECT * FROM onboarding.claim('w', 'iron', 1, 1, 1, 1)",
                "SELECT onboarding.cancel(1)", "SELECT onboarding.pause_provider('iron')",
                "SELECT onboarding.settle_dependents('{1}')",
            ] {
                #expect(await sessions[0].error(statement)?.sqlState?.code == "42501", "\(statement)")
            }
            try await sessions[0].run(SQL.enqueue())
            try await sessions[0].run(
                "INSERT INTO onboarding.jobs (kind, payload) VALUES ('iron.customer.create', '\(SQL.person)')")
            #expect(
                try await sessions[0].value("SELECT count(*) FROM onboarding.jobs WHERE state = 'available'") == "3")
        }
    }

    @Test func `the monitor sees every view and no payload`() async throws {
        try await withSessions { sessions in
            try await sessions[0].run(SQL.enqueue())
            try await sessions[0].run("SET ROLE onboarding_monitor")
            for view in [
                "attempts", "transitions", "customers", "queue_health", "uncertain_jobs", "failed_jobs", "workers",
                "providers", "vacuum_horizon",
            ] {
                _ = try await sessions[0].value("SELECT count(*) FROM onboarding.\(view)")
            }
            #expect(await sessions[0].error("SELECT payload FROM onboarding.jobs")?.sqlState?.code == "42501")
        }
    }

    @Test func `one wake-up comes for a statement of many rows`() async throws {
        try await withSessions { sessions in
            try await sessions[0].run(
                """
                BEGIN;
                INSERT INTO onboarding.jobs (kind, payload)
                SELECT 'iron.customer.create', '\(SQL.person)' FROM generate_series(1, 1000);
                """)
            #expect(try await sessions[0].value("pg_notification_queue_usage() < 0.001") == "true")
            try await sessions[0].run("COMMIT")
        }
    }
}
