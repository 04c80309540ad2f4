import Foundation
import Logging
import TestKit
import Testing

@testable import onboard

/// What an operator reads in the log.
@Suite(.timeLimit(.minutes(5))) struct LogTests {
    @Test func `a line is one JSON object with a time in UTC, numbers as numbers, and no controls`() throws {
        let line = LogLine(
            level: .warning, message: "m\u{1B}[2J",
            metadata: [
                "job_id": .stringConvertible(7), "text": "a\n\u{9B}b\u{202E}", "time": "x",
                "isTrue": .stringConvertible(true),
                "seconds": .stringConvertible(0.5), "list": ["a", .stringConvertible(1)],
                "odd": .stringConvertible(Double.nan),
            ])
        let text = line.text(.json)
        #expect(text.contains(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/))
        #expect(!text.unicodeScalars.contains { [.control, .format].contains($0.properties.generalCategory) })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(
            object["job_id"] as? Int == 7 && object["seconds"] as? Double == 0.5 && object["isTrue"] as? Bool == true)
        #expect(object["text"] as? String == "a\n\u{9B}b\u{202E}" && object["_time"] as? String == "x")
        let plain = line.text(.text)
        #expect(plain.contains(#" text=a\n\u009bb\u202e time=x"#), "\(plain)")
        #expect(plain.split(separator: "\n").count == 1)
    }

    @Test func `ten minutes of one failure are a few lines, and the last one counts the others`() {
        var filter = RepeatFilter()
        var written: [Int] = []
        for tenths in 0..<6000 {
            if case .write(let unwritten) = filter.came("key", at: .milliseconds(tenths * 100)) {
                written.append(unwritten)
            }
        }
        #expect((2...5).contains(written.count) && written[0] == 0 && written[1] == 599)
        #expect(filter.came("other", at: .seconds(600)) == .write(unwritten: 0))
        #expect(filter.came("key", at: .seconds(9000)) != .count)
    }

    @Test func `a database that takes no writes gives few lines, and one when it is back`() async throws {
        try await withStage { stage in
            let worker = try stage.work([], ["ONBOARD_POLL_INTERVAL": "100ms"])
            try await eventually("the worker") {
                try await stage.value("SELECT count(*) FROM onboarding.workers") == "1"
            }
            let alter =
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = \("%s")', current_database(), 'VALUE'); END $$;"
            let drop =
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'onboard work' AND datname = current_database();"
            let before = try worker.logged().count
            try await stage.run(alter.replacing("VALUE", with: "on") + drop)
            // Longer than the longest time between two tries of anything but maintenance's.
            try await Task.sleep(for: .seconds(10))
            // What is said again and again is said by as many as said it by now: each as often as a filter lets it in ten
            // minutes, and maintenance as well.
            let series = try worker.logged().count - before + 1
            var filter = RepeatFilter()
            let each = (0..<6000).count { filter.came("key", at: .milliseconds($0 * 100)) != .count }
            #expect(series * each < 60, "\(worker.errors)")
            #expect(try worker.logged("the database is lost").count == 1)
            try await stage.run(
                "SET default_transaction_read_only = off;" + alter.replacing("VALUE", with: "off") + drop)
            try await eventually("the database") { try worker.logged("the database is back").count == 1 }
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
        }
    }

    @Test func `jobs whose worker died in the middle are told of with their number and provider`() async throws {
        try await withStage(["--delay", "3000"]) { stage in
            try await stage.run(Load.connect(4))
            let first = try stage.work()
            try await eventually("the calls") { try stage.simulator.traffic(of: "connect")["most_in_flight"] == 4 }
            first.signal(SIGKILL)
            let second = try stage.work()
            try await eventually("the doubts", { try await stage.count("state = 'uncertain'") == 4 })
            let message = "jobs became uncertain: a worker that is gone may have sent them"
            try await eventually("the lines") {
                try second.logged(message, provider: "connect").compactMap { $0["jobs"] as? Int }.reduce(0, +) == 4
            }
            #expect(try second.logged(message).allSatisfy { $0["level"] as? String == "notice" })
            #expect(try second.logged("took over jobs of lost workers").compactMap { $0["jobs"] as? Int } == [4])
            #expect(try second.logged("a job needs a person").count == 4)
            #expect(!second.errors.contains("TAX-") && !second.errors.contains("Ada"))
            second.signal(SIGTERM)
            #expect(try await second.ended().exitCode == 0)
        }
    }

    @Test func `a connection that cannot be made is told of once, with its host and the cause, and its recovery`()
        async throws
    {
        try await withStage { stage in
            let port = try #require(stage.simulator.base.split(separator: ":").last)
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("onboard-url-\(UUID().uuidString)")
            try Data("http://127.0.0.1:1/iron/api".utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }  // A leftover harms nobody.
            var environment = stage.environment
            environment["ONBOARD_IRON_BASE_URL"] = nil
            environment["ONBOARD_IRON_BASE_URL_FILE"] = file.path
            environment["ONBOARD_AXISFI_BASE_URL"] = "https://no-such-host.invalid/axisfi"
            environment["ONBOARD_JUICYWAY_BASE_URL"] = "https://127.0.0.1:\(port)/juicyway"
            try await stage.run(Load.allKinds(3))
            let worker = try Program("onboard", ["work"], environment: environment).start()
            let causes = [
                "iron": "no connection: 127.0.0.1:1: connection refused",
                "axisfi": "no connection: no-such-host.invalid:443: no such host",
                "juicyway": "no connection: 127.0.0.1:\(port): TLS: wrong version number",
            ]
            for (provider, cause) in causes {
                try await eventually("the line of \(provider)") {
                    try worker.logged("a provider cannot be reached", provider: provider).count == 1
                }
                let line = try #require(try worker.logged("a provider cannot be reached", provider: provider).first)
                #expect(line["error"] as? String == cause)
                #expect(line["level"] as? String == "warning")
            }
            try Data("\(stage.simulator.base)/iron/api".utf8).write(to: file, options: .atomic)
            try await eventually(within: 60, "the recovery") {
                try worker.logged("a provider is reached again", provider: "iron").count == 1
            }
            #expect(try worker.logged("a provider cannot be reached").count == 3)
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
        }
    }

    @Test func `a provider that throttles is told of with how long it is held`() async throws {
        try await withStage([
            "--faults", #"[{"provider": "juicyway", "first": 1, "fault": "throttle", "seconds": 2}]"#,
        ]) { stage in
            try await stage.run(Load.juicyway(3))
            let worker = try stage.work(["--until-idle"])
            #expect(try await worker.ended().exitCode == 0)
            let lines = try worker.logged("a provider throttles its calls and is held", provider: "juicyway")
            #expect(lines.count == 1 && lines[0]["http_status"] as? Int == 429)
            #expect(lines.allSatisfy { ($0["held_seconds"] as? Int).map { $0 >= 2 } ?? false })
        }
    }
}
