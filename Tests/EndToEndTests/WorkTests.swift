import Foundation
import Testing

/// The daemon as operators run it: a process, its signals, its exit codes.
@Suite(.serialized) struct WorkTests {
    @Test func `two workers finish all kinds, with one effect for each job`() async throws {
        try await withStage { stage in
            try await stage.run(Load.allKinds(100))
            let workers = try [stage.work(["--until-idle"]), stage.work(["--until-idle"])]
            for worker in workers {
                let ended = try await worker.ended(within: 60)
                #expect(ended.exitCode == 0, "\(ended.errors.suffix(2000))")
            }
            #expect(try await stage.count("state = 'completed'") == 500)
            #expect(try stage.effects().count == 500)
            #expect(try stage.keysWithSeveralEffects() == [])
            #expect(
                try await stage.value(
                    "SELECT count(*) FROM onboarding.jobs j JOIN onboarding.attempts a ON a.job_id = j.id AND a.outcome = 'succeeded'"
                )
                    == "500")
        }
    }

    @Test func `the jobs of a killed worker are finished by the other, each with one effect`() async throws {
        try await withStage(["--delay", "50"]) { stage in
            try await stage.run(Load.allKinds(200))
            let victim = try stage.work()
            let survivor = try stage.work()
            try await eventually("some progress") { try await stage.count("state = 'completed'") > 100 }
            victim.signal(SIGKILL)
            _ = try await victim.ended()
            let unfinished = "state NOT IN ('completed', 'uncertain')"
            try await eventually(within: 40, "all jobs finished") { try await stage.count(unfinished) == 0 }
            #expect(try stage.keysWithSeveralEffects() == [])
            // Only Connect, which has no key and no look-up, may be left in doubt.
            #expect(try await stage.count("state = 'uncertain' AND provider <> 'connect'") == 0)
            #expect(try await stage.count("state = 'completed' AND provider_id IS NULL") == 0)
            survivor.signal(SIGTERM)
            #expect(try await survivor.ended().exitCode == 0)
        }
    }

    @Test func `SIGTERM under load exits 0 within the drain time and leaves nothing running`() async throws {
        try await withStage(["--delay", "300"]) { stage in
            try await stage.run(Load.allKinds(500))
            let worker = try stage.work([], ["ONBOARD_DRAIN_TIMEOUT": "10s"])
            try await eventually("some progress") { try await stage.count("state = 'completed'") > 20 }
            worker.signal(SIGTERM)
            let ended = try await worker.ended(within: 12)
            #expect(ended.exitCode == 0)
            #expect(try await stage.count("state = 'running'") == 0)
            #expect(try await stage.count("state IN ('available', 'blocked')") > 0)
            #expect(try await stage.value("SELECT count(*) FROM onboarding.workers") == "0")
        }
    }

    @Test func `no personal data reaches the log`() async throws {
        try await withStage { stage in
            try await stage.run(Load.allKinds(5, prefix: "SECRETMARK"))
            try await stage.run(
                "SELECT onboarding.enqueue('iron.customer.create', '{\"customer_type\": \"SECRETMARK\", \"email\": \"SECRETMARK\"}')"
            )
            let ended = try await stage.work(["--until-idle"], ["ONBOARD_LOG_LEVEL": "trace"]).ended()
            #expect(ended.exitCode == 0)
            #expect(!ended.errors.contains("SECRETMARK"))
            #expect(!ended.output.contains("SECRETMARK"))
            #expect(try await stage.count("state = 'failed' AND last_error NOT LIKE '%SECRETMARK%'") == 1)
            #expect(
                try await stage.value(
                    "SELECT count(*) FROM onboarding.attempts a WHERE a.error LIKE '%SECRETMARK%' OR a.reason LIKE '%SECRETMARK%'"
                ) == "0")
        }
    }

    @Test(arguments: [
        (["ONBOARD_DATABASE_URL": "postgresql://127.0.0.1:1/none?connect_timeout=2"], Int32(69)),
        (["ONBOARD_DATABASE_URL": "postgresql://[bad"], Int32(78)),
        (["ONBOARD_CONCURRENCY": "many"], Int32(78)),
        (["ONBOARD_POLL_INTERVAL": "1 parsec"], Int32(78)),
        (["ONBOARD_PROVIDERS": "nobody"], Int32(78)),
        (["ONBOARD_IRON_BASE_URL": "not a url"], Int32(78)),
    ])
    func `a wrong configuration ends in one sentence and its exit code`(changed: [String: String], code: Int32)
        async throws
    {
        try await withStage { stage in
            let ended = try await stage.work([], changed).ended(within: 30)
            #expect(ended.exitCode == code, "\(ended.errors)")
            #expect(ended.errors.split(separator: "\n").count == 1, "\(ended.errors)")
        }
    }

    @Test func `a schema that is missing, behind or too new is told apart at start`() async throws {
        try await withStage { stage in
            try await stage.run("INSERT INTO onboarding.migrations (version, name) VALUES (9999, 'future')")
            let tooNew = try await stage.work().ended(within: 30)
            #expect(tooNew.exitCode == 78)
            #expect(tooNew.errors.contains("newer"))
            try await stage.run("DROP SCHEMA onboarding CASCADE")
            let missing = try await stage.work().ended(within: 30)
            #expect(missing.exitCode == 78)
            #expect(missing.errors.contains("onboard migrate"))
        }
    }
}
