import Foundation
import Postgres
import TestKit
import Testing

/// Passwords and keys in files that are replaced while a worker runs, and what a worker does that nothing can help.
@Suite(.timeLimit(.minutes(5))) struct RotationTests {
    /// A server that asks for passwords over TCP, a worker's login in it, and the file that leads the worker there.
    private struct Guarded {
        let stage: Stage
        let server: PostgresServer
        let file: URL

        func environment(_ more: [String: String] = [:]) -> [String: String] {
            var environment = stage.environment.merging(more) { $1 }
            environment["ONBOARD_DATABASE_URL"] = nil
            environment["ONBOARD_DATABASE_URL_FILE"] = file.path
            return environment
        }

        func worker(_ more: [String: String] = [:]) async throws -> Program {
            let worker = try Program("onboard", ["work"], environment: environment(more)).start()
            try await eventually("the worker; it says: \(worker.errors)") {
                try await stage.value("SELECT count(*) FROM onboarding.workers") == "1"
            }
            return worker
        }

        func writeFile(_ password: String) throws {
            let url = "postgresql://robot:\(password)@127.0.0.1:\(server.port)/postgres?sslmode=disable\n"
            try Data(url.utf8).write(to: file, options: .atomic)
        }

        func setPassword(_ password: String) async throws {
            try await stage.run("ALTER ROLE robot PASSWORD '\(password)'")
        }

        func cutSessions() async throws {
            try await stage.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'robot'")
        }
    }

    private func withGuarded(_ arguments: [String] = [], _ body: (Guarded) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "onboard-rotation-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(at: folder) }  // A leftover harms nobody.
        let rules = folder.appendingPathComponent("hba.conf")
        try Data("local all all trust\nhost all postgres all trust\nhost all all all scram-sha-256\n".utf8).write(
            to: rules)
        let server = try PostgresServer(settings: ["hba_file = '\(rules.path)'"])
        try await server.start()
        let url = try server.connectionString.keywordForm
        let migrated = try await Program.run("onboard", ["migrate"], environment: ["ONBOARD_DATABASE_URL": url])
        #expect(migrated.exitCode == 0, "\(migrated.errors)")
        try await withStage(arguments, on: url) { stage in
            try await stage.run("CREATE ROLE robot LOGIN PASSWORD 'first-1' IN ROLE onboarding_worker")
            let guarded = Guarded(stage: stage, server: server, file: folder.appendingPathComponent("url"))
            try guarded.writeFile("first-1")
            try await body(guarded)
        }
        try await server.stop(.immediate)
    }

    @Test func `a password that is rotated is read again when the old one is refused`() async throws {
        try await withGuarded { guarded in
            let worker = try await guarded.worker()
            try await guarded.setPassword("second-2")
            try await guarded.cutSessions()
            try await eventually("the refusal") { try !worker.logged("the database is lost").isEmpty }
            try await guarded.stage.run(Load.juicyway(5))
            try guarded.writeFile("second-2")
            try await eventually("the jobs' ends") { try await guarded.stage.count("state = 'completed'") == 5 }
            try await eventually("the recovery") { try worker.logged("the database is back").count == 1 }
            #expect(try worker.logged("the database is lost").count == 1)
            let told = try worker.logged("the database's address or password has changed and is used from now on")
            #expect(told.count == 1)
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
            #expect(!worker.errors.contains("second-2") && !worker.errors.contains("first-1"))
        }
    }

    @Test func `connections move to where a changed file leads, although the old ones are good`() async throws {
        try await withGuarded { guarded in
            let worker = try await guarded.worker()
            try await guarded.stage.run("CREATE ROLE other LOGIN PASSWORD 'third-3' IN ROLE onboarding_worker")
            let url = "postgresql://other:third-3@127.0.0.1:\(guarded.server.port)/postgres?sslmode=disable"
            try Data(url.utf8).write(to: guarded.file, options: .atomic)
            let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = "
            try await eventually("the move") {
                let old = try await guarded.stage.value(sessions + "'robot'")
                let new = try await guarded.stage.value(sessions + "'other'")
                return old == "0" && new != "0"
            }
            try await guarded.stage.run(Load.juicyway(5))
            try await eventually("the jobs' ends") { try await guarded.stage.count("state = 'completed'") == 5 }
            #expect(try worker.logged("the database is lost").isEmpty)
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
        }
    }

    @Test func `a password that is refused for good ends the worker, once its calls have ended`() async throws {
        try await withGuarded(["--delay", "3000"]) { guarded in
            let worker = try await guarded.worker(["ONBOARD_OUTAGE_TIMEOUT": "1s"])
            try await guarded.stage.run(Load.connect(1))
            try await eventually("the call") {
                try guarded.stage.simulator.traffic(of: "connect")["most_in_flight"] == 1
            }
            try await guarded.setPassword("second-2")
            try await guarded.cutSessions()
            let ended = try await worker.ended(within: 40)
            try expectGivenUp(worker, ended, code: 78, "the database refuses the login: ")
            #expect(try guarded.stage.simulator.effects().count == 1)
            let left = try worker.logged("ended with jobs whose results are not written; others take them over")
            #expect(left.map { $0["jobs"] as? Int } == [1])
        }
    }

    @Test func `a schema that is gone ends the worker`() async throws {
        try await withGuarded { guarded in
            let worker = try await guarded.worker(["ONBOARD_OUTAGE_TIMEOUT": "2s"])
            try await guarded.stage.run("DROP SCHEMA onboarding CASCADE")
            let ended = try await worker.ended(within: 40)
            try expectGivenUp(worker, ended, code: 78, "the database has no current onboarding schema: ")
        }
    }

    @Test func `a database that stays away ends the worker`() async throws {
        try await withGuarded { guarded in
            let worker = try await guarded.worker(["ONBOARD_OUTAGE_TIMEOUT": "2s"])
            try await guarded.server.stop(.immediate)
            let ended = try await worker.ended(within: 40)
            try expectGivenUp(worker, ended, code: 69, "connection to server at \"127.0.0.1\"")
            try await guarded.server.start()
        }
    }

    private func expectGivenUp(_ worker: Program, _ ended: Program.Ended, code: Int32, _ reason: String) throws {
        #expect(ended.exitCode == code, "\(ended.errors)")
        let sentences = ended.errors.split(separator: "\n").filter { !$0.hasPrefix("{") }
        #expect(sentences.count == 1, "\(ended.errors)")
        let start = #/onboard: gave up after \d+ s: /#
        let sentence = try #require(sentences.first)
        #expect(sentence.prefixMatch(of: start).map { sentence[$0.range.upperBound...].hasPrefix(reason) } == true)
        #expect(try worker.logged("the database is lost").count == 1)
    }

    /// The stage's environment with all keys in one file.
    private func environment(_ stage: Stage, keysIn file: URL) -> [String: String] {
        var environment = stage.environment
        for name in environment.keys where name.hasSuffix("_API_KEY") {
            environment[name] = nil
            environment[name + "_FILE"] = file.path
        }
        return environment
    }

    @Test(arguments: ["provider", "file"])
    func `a provider's key that is rotated is read again`(first: String) async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("onboard-key-\(UUID().uuidString)")
        try Data("sandbox-key\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }  // A leftover harms nobody.
        try await withStage { stage in
            let worker = try Program("onboard", ["work"], environment: environment(stage, keysIn: file)).start()
            try await stage.run(Load.juicyway(5, prefix: "a"))
            try await eventually("the first jobs' ends") { try await stage.count("state = 'completed'") == 5 }
            if first == "provider" {
                try stage.simulator.rotateKey(to: "second-2")
                try await stage.run(Load.allKinds(5, prefix: "b"))
                try await eventually("the refusals") {
                    try ["iron", "axisfi", "juicyway", "connect"].allSatisfy {
                        try worker.logged("a provider's circuit opened", provider: $0).count == 1
                    }
                }
                try Data("second-2\n".utf8).write(to: file, options: .atomic)
            } else {
                try stage.simulator.rotateKey(to: "second-2")
                try Data("second-2\n".utf8).write(to: file, options: .atomic)
                try await stage.run(Load.allKinds(5, prefix: "b"))
            }
            try await eventually("the jobs' ends") { try await stage.count("state = 'completed'") == 30 }
            for provider in ["iron", "axisfi", "juicyway", "connect"] {
                let (opened, closed) = (
                    try worker.logged("a provider's circuit opened", provider: provider),
                    try worker.logged("a provider's circuit closed", provider: provider)
                )
                #expect(opened.count == (first == "provider" ? 1 : 0))
                #expect(closed.count == opened.count)
                #expect(opened.allSatisfy { $0["level"] as? String == "warning" && $0["http_status"] is Int })
            }
            #expect(try stage.simulator.keysWithSeveralEffects() == [])
            #expect(!worker.errors.contains("second-2"))
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
        }
    }
}
