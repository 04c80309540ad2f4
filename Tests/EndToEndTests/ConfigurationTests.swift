import Foundation
import TestKit
import Testing

@testable import onboard

/// Configuration files, names and values, as people write them.
@Suite(.timeLimit(.minutes(5))) struct ConfigurationTests {
    @Test(arguments: [
        ("A=b", "b"), ("A=b\r", "b"), ("\u{FEFF}A=b", "b"), ("export A=b", "b"), ("export\tA = b", "b"),
        ("  A  =  b  ", "b"),
        ("A=\"b c\"", "b c"), ("A='b c'  # why", "b c"), ("A=b c", "b c"), ("A=b # why", "b"), ("A=b#c", "b#c"),
        ("A=\"b \\\"c\\\" \\$d \\n\"", "b \"c\" $d \\n"), ("A='$b\\c'", "$b\\c"), ("A=b\\ c", "b c"), ("A=", ""),
        ("A=b=c", "b=c"), ("A=postgresql://h/d?a=b&c=d", "postgresql://h/d?a=b&c=d"), ("A=''", ""),
        ("# A=c\n; A=d\n\nA=b", "b"), ("# c\r\nA=b\r\n# d\r\n", "b"), ("A=c\nA=b", "b"), ("A=b\\ ", "b "),
    ])
    func `a line is read as a shell or systemd reads it`(text: String, value: String) throws {
        let values = try ConfigurationFile(text).values
        #expect(values == ["A": value])
    }

    @Test(arguments: [
        "A", "=b", "A B=c", "1A=b", "A-B=c", "export A", "A='b", "A=\"b", "A=b\\", "A=$b", "A=\"$b\"", "A=`b`",
        "A=b'c'",
        "A='b'c", "A='b'#c", "A=b\rA=c", "A=\u{1B}b", "A: b",
    ])
    func `anything else is refused with its line`(line: String) throws {
        let refusal = #expect(throws: ConfigurationFile.Refusal.self) {
            try ConfigurationFile("# first\r\n\(line)\nB=c")
        }
        #expect(refusal?.line == 2)
    }

    @Test(arguments: [
        (["ONBOARD_CONCURENCY": "8"], "ONBOARD_CONCURRENCY"), (["ONBOARD_IRON_KEY": "k"], "ONBOARD_IRON_API_KEY"),
        (["ONBOARD_IRON_API_KEYFILE": "k"], "ONBOARD_IRON_API_KEY"),
        (["onboard_concurrency": "8"], "ONBOARD_CONCURRENCY"),
        (["ONBORD_CONCURRENCY": "8"], "ONBOARD_CONCURRENCY"),
        (["ONBOARD_POLL_INTERVALL_FILE": "f"], "ONBOARD_POLL_INTERVAL"),
    ])
    func `an unknown name is refused with the nearest known one`(values: [String: String], nearest: String) throws {
        #expect(Variables.fault(in: values)?.hasSuffix("the nearest is \(nearest)") == true)
    }

    @Test func `a value and a file with it are refused; names of other programs are not`() {
        let fault = Variables.fault(in: ["ONBOARD_IRON_API_KEY": "k", "ONBOARD_IRON_API_KEY_FILE": "f"])
        #expect(fault == "ONBOARD_IRON_API_KEY and ONBOARD_IRON_API_KEY_FILE are both set: keep one of them")
        let fine = [
            "ONBOARD_IRON_API_KEY": "", "ONBOARD_IRON_API_KEY_FILE": "f", "ONBOARD_HTTP_CA_FILE": "g", "HOME": "h",
            "PGHOST": "i", "ON": "j",
        ]
        #expect(Variables.fault(in: fine) == nil)
    }

    private static let refusals: [([String: String], String)] = [
        (["ONBOARD_CONCURENCY": "8"], "ONBOARD_CONCURRENCY"),
        (["ONBOARD_IRON_BASE_URL": "http://192.0.2.1/iron"], "ONBOARD_ALLOW_PLAINTEXT=iron"),
        (["ONBOARD_IRON_BASE_URL": "http://127.0.0.1.example.com/iron"], "ONBOARD_ALLOW_PLAINTEXT=iron"),
        (
            ["ONBOARD_IRON_BASE_URL": "http://192.0.2.1/iron", "ONBOARD_ALLOW_PLAINTEXT": "connect"],
            "ONBOARD_ALLOW_PLAINTEXT=iron"
        ),
        (
            ["ONBOARD_IRON_BASE_URL": "http://192.0.2.1/iron", "ONBOARD_ALLOW_PLAINTEXT": "nobody"],
            "a list of providers out of"
        ),
        (["ONBOARD_IRON_API_KEY_FILE": "/dev/null"], "keep one of them"),
        (["ONBOARD_IRON_API_KEY": "", "ONBOARD_IRON_API_KEY_FILE": "/dev/null"], "ONBOARD_IRON_API_KEY_FILE"),
    ]

    @Test(arguments: refusals) func `a worker refuses it with exit code 78`(changed: [String: String], sentence: String)
        async throws
    {
        try await withStage { stage in
            let ended = try await stage.work(["--until-idle"], changed).ended()
            #expect(ended.exitCode == 78 && ended.errors.contains(sentence), "\(ended.errors)")
        }
    }

    @Test func `plaintext beyond loopback goes where it is allowed by name`() async throws {
        try await withStage { stage in
            let more = [
                "ONBOARD_IRON_BASE_URL": "http://192.0.2.1/iron", "ONBOARD_ALLOW_PLAINTEXT": "connect, iron",
            ]
            let ended = try await stage.work(["--until-idle"], more).ended()
            #expect(ended.exitCode == 0, "\(ended.errors)")
        }
    }

    @Test func `what the simulator prints is a configuration file`() async throws {
        try await withStage { stage in
            try await stage.run(Load.juicyway(1))
            let port = try #require(URL(string: stage.simulator.base)?.port)
            let printed = try await Program.run("onboard-simulator", ["--print-environment", "--port", "\(port)"])
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("onboard-\(UUID().uuidString).env")
            defer { try? FileManager.default.removeItem(at: file) }
            let text = "# first\n\(printed.output)ONBOARD_DATABASE_URL = \"\(stage.databaseURL)\"\n"
            try text.replacing("\n", with: "\r\n").write(to: file, atomically: true, encoding: .utf8)
            let ended = try await Program.run("onboard", ["work", "--until-idle", "--config", file.path])
            #expect(ended.exitCode == 0, "\(ended.errors)")
            #expect(try await stage.count("state = 'completed'") == 1)
            try "A=b\nC: d\n".write(to: file, atomically: true, encoding: .utf8)
            let refused = try await Program.run("onboard", ["status", "--config", file.path])
            #expect(refused.exitCode == 78 && refused.errors.contains("line 2: NAME=value is expected"))
        }
    }
}
