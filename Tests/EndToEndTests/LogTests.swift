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
            let worker = try stage.work()
            try await eventually("the worker") {
                try await stage.value("SELECT count(*) FROM onboarding.workers") == "1"
            }
            let alter =
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = \("%s")', current_database(), 'VALUE'); END $$;"
            let drop =
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'onboard work' AND datname = current_database();"
            try await stage.run(alter.replacing("VALUE", with: "on") + drop)
            try await Task.sleep(for: .seconds(8))
            #expect(worker.errors.split(separator: "\n").count < 25, "\(worker.errors)")
            try await stage.run(
                "SET default_transaction_read_only = off;" + alter.replacing("VALUE", with: "off") + drop)
            try await eventually("the database") { worker.errors.contains("the database is back") }
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
        }
    }
}
