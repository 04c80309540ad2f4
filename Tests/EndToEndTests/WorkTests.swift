import Foundation
import TestKit
import Testing

/// The daemon as operators run it: a process, its signals, its exit codes.
@Suite(.serialized) struct WorkTests {
    @Test func `two workers finish all kinds, with one effect for each job`() async throws {
        try await withStage { stage in
            try await stage.run(Load.allKinds(100))
            let workers = try [stage.work(["--until-idle"]), stage.work(["--until-idle"])]
            for worker in workers {
                let ended = try await worker.ended()
                #expect(ended.exitCode == 0, "\(ended.errors.suffix(2000))")
            }
            #expect(try await stage.count("state = 'completed'") == 500)
            #expect(try stage.simulator.effects().count == 500)
            #expect(try stage.simulator.keysWithSeveralEffects() == [])
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
            try await eventually("all jobs finished") { try await stage.count(unfinished) == 0 }
            #expect(try stage.simulator.keysWithSeveralEffects() == [])
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
            let ended = try await worker.ended()
            #expect(ended.exitCode == 0)
            #expect(try await stage.count("state = 'running'") == 0)
            #expect(try await stage.count("state IN ('available', 'blocked')") > 0)
            #expect(try await stage.value("SELECT count(*) FROM onboarding.workers") == "0")
        }
    }

    @Test func `SIGTERM ends a worker that has only just begun to listen for it`() async throws {
        try await withStage { stage in
            for _ in 0..<10 {
                let worker = try stage.work()
                while worker.isRunning, !listensForSIGTERM(worker.processID) {}
                worker.signal(SIGTERM)
                #expect(try await worker.ended().exitCode == 0)
            }
        }
    }

    @Test func `a second signal ends a worker at once`() async throws {
        try await withStage(["--delay", "120000"]) { stage in
            try await stage.run(Load.juicyway(1))
            let worker = try stage.work()
            // Claimed is not enough: what has not begun is given back, and the worker ends by itself.
            try await eventually("the call") { try stage.simulator.traffic(of: "juicyway")["most_in_flight"] == 1 }
            worker.signal(SIGTERM)
            try await Task.sleep(for: .milliseconds(500))
            #expect(worker.isRunning)
            worker.signal(SIGTERM)
            #expect(try await worker.ended(within: 60).exitCode == 128 + SIGTERM)
        }
    }

    /// Whether some descriptor of the process takes the signal (`signalfd`; proc(5), fdinfo).
    private func listensForSIGTERM(_ process: Int32) -> Bool {
        let folder = "/proc/\(process)/fdinfo"
        // Descriptors come and go while they are listed.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.contains { name in
            let text = (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? ""
            return text.contains("sigmask:\t0000000000004000")
        }
    }

    @Test func `three workers together stay within the limits, as the provider sees them`() async throws {
        try await withStage(["--delay", "300"]) { stage in
            try await stage.run(Load.juicyway(150))
            try await stage.run(
                "UPDATE onboarding.providers SET max_in_flight = 10, rate_per_second = 50 WHERE provider = 'juicyway'")
            let workers = try (0..<3).map { _ in try stage.work(["--until-idle"]) }
            for worker in workers { #expect(try await worker.ended().exitCode == 0) }
            #expect(try await stage.count("state = 'completed'") == 150)
            let traffic = try stage.simulator.traffic(of: "juicyway")
            #expect((8...10).contains(traffic["most_in_flight"] ?? 0), "\(traffic)")
            #expect((1...50).contains(traffic["most_in_one_second"] ?? 0), "\(traffic)")
        }
    }

    @Test func `a rate alone is kept as well, by all workers together`() async throws {
        try await withStage { stage in
            try await stage.run(Load.juicyway(120))
            try await stage.run("UPDATE onboarding.providers SET rate_per_second = 50 WHERE provider = 'juicyway'")
            let workers = try (0..<3).map { _ in try stage.work(["--until-idle"]) }
            for worker in workers { #expect(try await worker.ended().exitCode == 0) }
            let traffic = try stage.simulator.traffic(of: "juicyway")
            #expect((5...50).contains(traffic["most_in_one_second"] ?? 0), "\(traffic)")
        }
    }

    @Test func `documents of ten megabytes go through unchanged`() async throws {
        try await withStage { stage in
            try await stage.run(SQLText.customer)
            try await stage.run(SQLText.identification(documentCharacters: 13_000_000))
            let ended = try await stage.work(["--until-idle"]).ended()
            #expect(ended.exitCode == 0, "\(ended.errors.suffix(500))")
            #expect(try await stage.count("state = 'completed'") == 2)
            // What the provider received is, byte for byte, what the database prints.
            let digest = try await stage.value(
                "SELECT encode(sha256(convert_to(payload::text, 'UTF8')), 'hex') FROM onboarding.jobs WHERE kind = 'iron.identification.create'"
            )
            #expect(try stage.simulator.effects().last?["body_sha256"] as? String == digest)
        }
    }

    @Test func `no personal data reaches the log`() async throws {
        try await withStage { stage in
            try await stage.run(Load.allKinds(5, prefix: "SECRETMARK"))
            try await stage.run(
                """
                SELECT onboarding.enqueue('connect.individual.create', '{"basicData": {"gender": "SECRETMARK"},
                    "taxInformation": {}, "identification": {}, "mainAddress": {}}')
                """)
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
        (["ONBOARD_IRON_BASE_URL": "http://127.0.0.1:99999/iron"], Int32(78)),
        (["ONBOARD_IRON_BASE_URL": "http://127.0.0.1/iron#part"], Int32(78)),
        (["ONBOARD_IRON_BASE_URL": "http://127.0.0.1/%zz"], Int32(78)),
        (["ONBOARD_IRON_BASE_URL": "http://127.0.0.1/a b"], Int32(78)),
        (["ONBOARD_HTTP_TIMEOUT": "99999999h"], Int32(78)),
        (["ONBOARD_AXISFI_API_SECRET": "two words"], Int32(78)),
        (["ONBOARD_HTTP_CA_FILE": "/etc/passwd"], Int32(78)),
    ])
    func `a wrong configuration ends in one sentence and its exit code`(changed: [String: String], code: Int32)
        async throws
    {
        try await withStage { stage in
            let ended = try await stage.work([], changed).ended()
            #expect(ended.exitCode == code, "\(ended.errors)")
            #expect(ended.errors.split(separator: "\n").count == 1, "\(ended.errors)")
        }
    }

    @Test func `a schema that is missing, behind or too new is told apart at start`() async throws {
        try await withStage { stage in
            try await stage.run(
                "INSERT INTO onboarding.migrations (version, name, is_breaking) VALUES (9999, 'future', true)")
            let tooNew = try await stage.work().ended()
            #expect(tooNew.exitCode == 78)
            #expect(tooNew.errors.contains("later onboard"))
            try await stage.run("DROP SCHEMA onboarding CASCADE")
            let missing = try await stage.work().ended()
            #expect(missing.exitCode == 78)
            #expect(missing.errors.contains("onboard migrate"))
        }
    }
}

/// Statements for single jobs.
private enum SQLText {
    static let customer =
        "SELECT onboarding.enqueue('iron.customer.create', '{\"customer_type\": \"Person\", \"email\": \"a@example.com\"}');"

    /// An identification of the customer of job 1, with three documents of that many characters.
    static func identification(documentCharacters: Int) -> String {
        """
        SELECT onboarding.enqueue('iron.identification.create', jsonb_build_object('type', 'Person',
            'address', jsonb_build_object('city', 'B', 'country', 'DE', 'street_1', 'R', 'zip_code', '1'),
            'consent_collected_at', '2026-01-01T00:00:00Z', 'date_of_birth', '1990-01-02', 'email_address', 'a@example.com',
            'first_name', 'A', 'full_name', 'A B', 'last_name', 'B', 'intended_use', 'Investing',
            'phone_number', '+49301', 'sharing_consent', true,
            'identity', jsonb_build_object('identity_country_code', 'DE', 'identity_document_type', 'Passport',
                'ip_address', '::1', 'nationality', 'DE', 'selfie_collected_at', '2026-01-01T00:00:00Z',
                'identity_document_front', document, 'identity_document_back', document, 'selfie', document),
            'kyc_questionnaire', jsonb_build_object('employment_status', 'Employed', 'source_of_wealth', 'Salary',
                'expected_monthly_transaction_count', 'LessThan5', 'expected_monthly_transaction_volume', 'LessThan500',
                'yearly_gross_income', 'LessThan20000')), after_job_id => 1)
        FROM (SELECT repeat('A', \(documentCharacters)) AS document) AS d;
        """
    }
}
