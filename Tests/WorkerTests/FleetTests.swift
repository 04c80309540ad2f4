import JobModel
import Postgres
import Providers
import Testing

@testable import Worker

/// Leases, limits and order, with more than one worker or after one was lost.
@Suite struct FleetTests {
    /// A worker that notices a lost lease within a fifth of a second.
    private func quick(_ bench: Bench, _ caller: ScriptedCaller) -> Daemon {
        bench.daemon(caller) { $0.renewalInterval = .milliseconds(200) }
    }

    private func expireLeases(_ bench: Bench) async throws {
        try await bench.run("UPDATE onboarding.worker_leases SET lease_expires_at = now() - interval '1 s'")
    }

    @Test func `a fenced-out worker's late answer is adopted without another call`() async throws {
        try await withBench { bench in
            try await bench.enqueue()
            let gate = Gate()
            let caller = ScriptedCaller { _, claim in
                _ = await gate.pass()
                return ScriptedCaller.created(claim)
            }
            try await bench.with([quick(bench, caller)]) {
                while caller.calls.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
                try await bench.run("SELECT onboarding.pause_provider('iron')")
                try await expireLeases(bench)
                try await bench.until("(SELECT state = 'available' FROM onboarding.jobs)")
                gate.open()
                try await bench.until("EXISTS (SELECT 1 FROM onboarding.attempts WHERE late)")
                #expect(try await bench.states() == "available=1")
                try await bench.run("SELECT onboarding.resume_provider('iron')")
                try await bench.until("(SELECT state = 'completed' FROM onboarding.jobs)")
            }
            #expect(caller.calls.count == 1)
            #expect(try await bench.value("SELECT last_outcome FROM onboarding.jobs") == "adopted")
            #expect(try await bench.value("SELECT provider_id FROM onboarding.jobs") == "record-1")
        }
    }

    @Test func `a late answer ends an uncertain job`() async throws {
        try await withBench { bench in
            try await bench.enqueue("connect.individual.create", Bench.connect)
            let gate = Gate()
            let caller = ScriptedCaller { _, claim in
                _ = await gate.pass()
                return ScriptedCaller.created(claim)
            }
            try await bench.with([quick(bench, caller)]) {
                while caller.calls.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
                try await expireLeases(bench)
                try await bench.until("(SELECT state = 'uncertain' FROM onboarding.jobs)")
                gate.open()
                try await bench.until("(SELECT state = 'completed' FROM onboarding.jobs)")
            }
            #expect(caller.calls.count == 1)
        }
    }

    @Test func `the jobs of a dead worker run again elsewhere under the same key`() async throws {
        try await withBench { bench in
            try await bench.enqueue(count: 5)
            try await bench.run(
                "SELECT onboarding.register_worker('dead', 'host', '0', 8, '{iron}', 100);"
                    + "SELECT id FROM onboarding.claim('dead', 'iron', 5, 100000, 100000, 100)")
            let caller = ScriptedCaller()
            try await bench.drain(caller)
            #expect(try await bench.states() == "completed=5")
            let keys = try await bench.value(
                "SELECT count(DISTINCT (a.job_id, a.idempotency_key)) FROM onboarding.attempts a")
            #expect(keys == "5")
        }
    }

    @Test func `workers share the jobs and no job is called twice`() async throws {
        try await withBench { bench in
            try await bench.enqueue(count: 300)
            let caller = ScriptedCaller()
            try await bench.with((0..<3).map { _ in bench.daemon(caller) { $0.concurrency = 8 } }) {
                try await bench.until("(SELECT count(*) = 300 FROM onboarding.jobs WHERE state = 'completed')")
            }
            #expect(caller.calls.count == 300)
            #expect(Set(caller.calls.map(\.job)).count == 300)
        }
    }

    @Test func `of answers that all bring one id, at once and to several workers, one completes its job`() async throws
    {
        try await withBench { bench in
            try await bench.enqueue(count: 200)
            let caller = ScriptedCaller { _, claim in
                var result = ScriptedCaller.created(claim)
                result.providerID = "record"
                return result
            }
            try await bench.with((0..<3).map { _ in bench.daemon(caller) }) {
                try await bench.until(
                    "(SELECT count(*) = 200 FROM onboarding.jobs WHERE finished_at IS NOT NULL OR state = 'uncertain')")
            }
            #expect(try await bench.states() == "completed=1 uncertain=199")
        }
    }

    @Test func `a limit of calls in flight holds across workers`() async throws {
        try await withBench { bench in
            try await bench.run("UPDATE onboarding.providers SET max_in_flight = 3 WHERE provider = 'iron'")
            try await bench.enqueue(count: 40)
            let caller = ScriptedCaller { _, claim in
                try? await Task.sleep(for: .milliseconds(10))
                return ScriptedCaller.created(claim)
            }
            try await bench.with((0..<3).map { _ in bench.daemon(caller) }) {
                try await bench.until("(SELECT count(*) = 40 FROM onboarding.jobs WHERE state = 'completed')")
            }
            #expect(caller.peak <= 3)
        }
    }

    @Test func `a rate holds across workers`() async throws {
        try await withBench { bench in
            try await bench.run("UPDATE onboarding.providers SET rate_per_second = 20 WHERE provider = 'iron'")
            try await bench.enqueue(count: 20)
            let caller = ScriptedCaller()
            try await bench.with((0..<2).map { _ in bench.daemon(caller) }) {
                try await bench.until("(SELECT count(*) = 20 FROM onboarding.jobs WHERE state = 'completed')")
            }
            let times = caller.calls.map(\.at).sorted()
            let took = try #require(times.last) - times[0]
            // 19 gaps of a twentieth of a second.
            #expect(took > .milliseconds(900))
        }
    }

    @Test func `jobs of one order key run one after another, in order`() async throws {
        try await withBench { bench in
            try await bench.run(
                "INSERT INTO onboarding.jobs (kind, payload, order_key) SELECT 'iron.customer.create', '\(Bench.person)', "
                    + "'k' FROM generate_series(1, 6)")
            let caller = ScriptedCaller()
            try await bench.with((0..<2).map { _ in bench.daemon(caller) }) {
                try await bench.until("(SELECT count(*) = 6 FROM onboarding.jobs WHERE state = 'completed')")
            }
            #expect(caller.calls.map(\.job.value) == [1, 2, 3, 4, 5, 6])
            #expect(caller.peak == 1)
        }
    }

    @Test func `a job runs after the one it waits for and gets its provider id`() async throws {
        try await withBench { bench in
            try await bench.enqueue()
            try await bench.run(
                "SELECT onboarding.enqueue('iron.identification.create', '{\"type\": \"Link\"}', after_job_id => 1)")
            let caller = ScriptedCaller { _, claim in
                claim.id.value == 2 && claim.afterProviderID != "record-1"
                    ? CallResult(.rejected, mayHaveReached: false) : ScriptedCaller.created(claim)
            }
            try await bench.drain(caller)
            #expect(try await bench.states() == "completed=2")
            #expect(caller.calls.map(\.job.value) == [1, 2])
        }
    }

    @Test func `what waits for a job that fails is cancelled`() async throws {
        try await withBench { bench in
            try await bench.enqueue()
            try await bench.run(
                "SELECT onboarding.enqueue('iron.identification.create', '{\"type\": \"Link\"}', after_job_id => 1)")
            try await bench.drain(
                ScriptedCaller { _, _ in CallResult(.rejected, mayHaveReached: false, httpStatus: 400) })
            #expect(try await bench.states() == "cancelled=1 failed=1")
        }
    }

    @Test func `refused credentials stop a provider until a probe is answered`() async throws {
        try await withBench { bench in
            try await bench.enqueue(count: 30)
            let isRepaired = Flag()
            let caller = ScriptedCaller { _, claim in
                isRepaired.isSet
                    ? ScriptedCaller.created(claim) : CallResult(.unauthorized, mayHaveReached: false, httpStatus: 401)
            }
            try await bench.with([bench.daemon(caller) { $0.concurrency = 4 }]) {
                try await bench.until(
                    "EXISTS (SELECT 1 FROM onboarding.providers WHERE provider = 'iron' AND circuit = 'open')")
                try await bench.until("(SELECT count(*) = 0 FROM onboarding.jobs WHERE state = 'running')")
                let refused = caller.calls.count
                #expect(refused < 30)
                isRepaired.set()
                try await bench.run(
                    "UPDATE onboarding.providers SET circuit_probe_at = now() WHERE circuit = 'open';"
                        + "UPDATE onboarding.jobs SET run_at = now() WHERE state = 'available'")
                try await bench.until("(SELECT count(*) = 30 FROM onboarding.jobs WHERE state = 'completed')")
                #expect(
                    try await bench.value("SELECT circuit FROM onboarding.providers WHERE provider = 'iron'")
                        == "closed")
            }
        }
    }

    @Test func `a throttled provider is left alone and the others go on`() async throws {
        try await withBench { bench in
            try await bench.enqueue(count: 20)
            try await bench.enqueue("connect.individual.create", Bench.connect, count: 20)
            let caller = ScriptedCaller { _, claim in
                guard claim.kind.provider == ProviderName("iron") else { return ScriptedCaller.created(claim) }
                var result = CallResult(.throttled, mayHaveReached: false, httpStatus: 429)
                result.retryAfter = .seconds(60)
                return result
            }
            try await bench.with([bench.daemon(caller) { $0.concurrency = 8 }]) {
                try await bench.until(
                    "(SELECT count(*) = 20 FROM onboarding.jobs WHERE provider = 'connect' AND state = 'completed')")
                try await bench.until(
                    "(SELECT held_until > now() + interval '50 s' FROM onboarding.providers WHERE provider = 'iron')")
            }
            let throttled = caller.calls.filter { $0.provider == ProviderName("iron") }.count
            #expect(throttled <= 8)
            #expect(try await bench.value("SELECT max(attempt) FROM onboarding.jobs WHERE provider = 'iron'") == "0")
        }
    }

    @Test func `an answer lost without a key is looked up and not sent again`() async throws {
        try await withBench { bench in
            try await bench.enqueue("axisfi.customer.create", Bench.business)
            let caller = ScriptedCaller { step, claim in
                guard step == .lookUp else { return CallResult(.unavailable, mayHaveReached: true) }
                var result = CallResult(.adopted, mayHaveReached: false, httpStatus: 200)
                result.providerID = "found"
                return result
            }
            try await bench.with([bench.daemon(caller)]) {
                try await bench.until("(SELECT state = 'completed' FROM onboarding.jobs)")
            }
            #expect(caller.calls.map(\.step) == [.create, .lookUp])
        }
    }
}
