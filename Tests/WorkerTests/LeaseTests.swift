import JobModel
import Kinds
import Postgres
import Providers
import Testing

@testable import Worker

/// What a worker may still do when its lease is in doubt.
@Suite struct LeaseTests {
    @Test func `a worker that cannot trust its lease sends nothing`() async throws {
        try await withBench { bench in
            try await bench.enqueue()
            let caller = ScriptedCaller()
            try await bench.with([bench.daemon(caller) { $0.leaseMargin = $0.lease }]) {
                try await bench.until("EXISTS (SELECT 1 FROM onboarding.attempts WHERE outcome = 'not_sent')")
            }
            #expect(caller.calls.isEmpty)
            #expect(try await bench.value("SELECT attempt FROM onboarding.jobs") == "0")
        }
    }

    @Test func `a job whose time ends between its claim and the send is not sent`() async throws {
        /// Sends only after a while, as when connecting takes time.
        struct Late: ProviderCaller {
            let isSent = Flag()

            func call(
                _ step: Step, for claim: Claim, as definition: KindDefinition, willSend: @escaping @Sendable () -> Bool
            ) async -> CallResult {
                // Cancelled: the call ends.
                try? await Task.sleep(for: .milliseconds(600))
                guard willSend() else { return CallResult(.notSent, mayHaveReached: false) }
                isSent.set()
                return ScriptedCaller.created(claim)
            }
        }
        try await withBench { bench in
            try await bench.run(
                "SELECT onboarding.enqueue('iron.customer.create', '\(Bench.person)', expires_at => now() + interval '400 ms')"
            )
            let caller = Late()
            try await bench.with([bench.daemon(caller)]) {
                try await bench.until("(SELECT state = 'failed' FROM onboarding.jobs)")
            }
            #expect(!caller.isSent.isSet)
        }
    }

    @Test func `a renewal that failed is tried again soon`() async throws {
        try await withBench { bench in
            // A sequence keeps count although its transaction rolls back.
            try await bench.run(
                """
                CREATE SEQUENCE refusals;
                GRANT USAGE ON SEQUENCE refusals TO PUBLIC;
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$ BEGIN
                    IF nextval('refusals') = 1 THEN RAISE EXCEPTION 'busy' USING ERRCODE = 'serialization_failure'; END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER refuse BEFORE UPDATE ON onboarding.worker_leases FOR EACH ROW EXECUTE FUNCTION public.refuse();
                """)
            try await bench.with([bench.daemon(ScriptedCaller()) { $0.renewalInterval = .seconds(6) }]) {
                try await bench.until(
                    "(SELECT count(*) > 0 FROM onboarding.worker_leases WHERE last_seen_at > started_at + interval '1 s')",
                    within: .seconds(10))
            }
        }
    }
}
