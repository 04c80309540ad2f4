import Foundation
import TestKit
import Testing

/// What the commands say and their exit codes, as scripts rely on them.
@Suite struct CommandTests {
    private static let endings: [(String, Int32)] = [
        ("nonsense", 64),
        ("jobs show abc", 64),
        ("jobs show 999", 1),
        ("jobs list --state foo", 64),
        ("jobs list --limit 0", 64), ("jobs list --kind nonsense", 64),
        ("nonsense --help", 64), ("jobs nonsense --help", 64), ("help nonsense", 64), ("help jobs list", 0),
        ("jobs list --help", 0), ("validate iron.customer.create /", 64),
        ("jobs cancel 999", 1),
        ("jobs retry 999", 1),
        ("jobs resolve 999 happened --note seen", 1), ("jobs resolve --note seen", 64),
        ("providers pause nobody", 1),
        ("providers pause iron --for 5x", 64),
        ("providers limit iron --rate-per-second 0", 64),
        ("providers limit iron --burst 0", 64),
        ("contract nope", 64),
        ("validate nope", 64),
        ("validate iron.customer.create /nonexistent", 64),
        ("status --config /nonexistent", 78),
        ("migrate --check", 0),
        ("status", 0),
        ("providers list", 0),
        ("--help", 0),
    ]

    @Test(arguments: endings)
    func `every end has its exit code, and a bad one its sentence`(command: String, code: Int32) async throws {
        try await withStage { stage in
            let ended = try await Program.run(
                "onboard", command.split(separator: " ").map(String.init), environment: stage.environment)
            #expect(ended.exitCode == code, "\(ended.errors)")
            #expect(ended.errors.isEmpty == (code == 0))
            #expect(ended.output.isEmpty == (code != 0))
        }
    }

    @Test func `status says that no worker is alive, or none serves what is due`() async throws {
        try await withStage { stage in
            let status = { try await Program.run("onboard", ["status"], environment: stage.environment).output }
            let before = try await status()
            #expect(before.contains("no worker is alive"))
            try await stage.run(Load.juicyway(3))
            let worker = try stage.work([], ["ONBOARD_PROVIDERS": "iron"])
            try await eventually("the worker") {
                try await stage.value("SELECT count(*) FROM onboarding.workers") == "1"
            }
            let output = try await status()
            #expect(output.contains(/due jobs of juicyway, which no live worker serves +3/), "\(output)")
            #expect(!output.contains("no worker is alive"))
            worker.signal(SIGTERM)
            _ = try await worker.ended()
        }
    }

    @Test func `a job is cancelled, retried with a corrected payload, limited, paused and resumed`() async throws {
        try await withStage { stage in
            func payload(email: String) -> String {
                #"{"partner_customer_id": "partner-0000000000001", "business_details": {}, "registration_address": {}, "#
                    + #""primary_contact": {"contact_email": "\#(email)"}}"#
            }
            // Inside, where INSERT does not look.
            try await stage.run("SELECT onboarding.enqueue('axisfi.customer.create', '\(payload(email: "nobody"))')")
            let run = { (arguments: [String]) in
                try await Program.run("onboard", arguments, environment: stage.environment)
            }
            #expect(try await stage.work(["--until-idle"]).ended().exitCode == 0)
            let shown = try await run(["jobs", "show", "1"])
            #expect(shown.output.contains("/primary_contact/contact_email must be an e-mail address"))
            let file = FileManager.default.temporaryDirectory.appendingPathComponent(
                "onboard-payload-\(UUID().uuidString).json")
            defer { try? FileManager.default.removeItem(at: file) }
            try "{\"partner_customer_id\":".write(to: file, atomically: true, encoding: .utf8)
            #expect(try await run(["jobs", "retry", "1", "--payload", file.path]).exitCode == 1)
            try payload(email: "a@b.example").write(to: file, atomically: true, encoding: .utf8)
            #expect(try await run(["jobs", "retry", "1", "--payload", file.path, "--reason", "typo"]).exitCode == 0)
            #expect(try await run(["providers", "pause", "axisfi", "--reason", "test", "--for", "1h"]).exitCode == 0)
            #expect(try await run(["jobs", "show", "1"]).output.contains("provider paused: test"))
            #expect(try await run(["providers", "resume", "axisfi"]).exitCode == 0)
            #expect(try await run(["providers", "limit", "axisfi", "--max-in-flight", "3"]).exitCode == 0)
            #expect(try await run(["providers", "list"]).output.contains("axisfi    3"))
            #expect(try await stage.work(["--until-idle"]).ended().exitCode == 0)
            #expect(try await stage.count("state = 'completed'") == 1)
            #expect(try await run(["jobs", "cancel", "1"]).errors == "onboard: job 1 is completed already\n")
        }
    }
}
