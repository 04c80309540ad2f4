import Foundation
import TestKit
import Testing

/// Standard output and standard error that take nothing, as real processes find them.
@Suite(.timeLimit(.minutes(5))) struct OutputTests {
    /// Jobs of a provider that cannot be asked: one whose worker ends in the middle is uncertain.
    private static let jobs = Load.connect(20)

    private func shell(_ line: String, _ stage: Stage, _ more: [String: String] = [:]) async throws -> Program.Ended {
        let environment = stage.environment.merging(more) { $1 }
        return try await Program(shell: line, "onboard", environment: environment).start().ended()
    }

    @Test(arguments: [
        "2>/dev/full", ">/dev/full 2>&1", ">&- 2>&-", "<&- >&- 2>&-", "2>&1 | true",
        // A file at its greatest size.
        "2>\"$TMPDIR/onboard-$$.log\"",
    ])
    func `a worker whose log cannot be written does its work`(redirection: String) async throws {
        try await withStage(["--delay", "100"]) { stage in
            try await stage.run(Self.jobs)
            let limit = redirection.contains("TMPDIR") ? "ulimit -f 0;" : ""
            // Whoever runs the tests may ignore these signals, and such is inherited.
            let ended = try await shell(
                "\(limit) env --default-signal=PIPE,XFSZ \"$0\" work --until-idle \(redirection)", stage,
                ["ONBOARD_LOG_LEVEL": "trace", "TMPDIR": FileManager.default.temporaryDirectory.path])
            #expect(ended.exitCode == 0)
            #expect(try await stage.count("state = 'completed'") == 20)
            #expect(try stage.simulator.effects().count == 20)
        }
    }

    @Test func `no socket takes the place of a closed descriptor`() async throws {
        try await withStage { stage in
            let worker = try Program(
                shell: "exec \"$0\" work <&- >&- 2>&-", "onboard", environment: stage.environment
            ).start()
            try await eventually("the worker") {
                try await stage.value("SELECT count(*) FROM onboarding.workers") == "1"
            }
            for number in 0...2 {
                let path = "/proc/\(worker.processID)/fd/\(number)"
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == "/dev/null")
            }
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
        }
    }

    @Test func `a log that was full says how many lines are missing once it is read`() async throws {
        try await withStage { stage in
            let pipe = Pipe()
            let (reading, writing) = (
                pipe.fileHandleForReading.fileDescriptor, pipe.fileHandleForWriting.fileDescriptor
            )
            #expect(fcntl(writing, F_SETFL, O_NONBLOCK) == 0 && fcntl(reading, F_SETFL, O_NONBLOCK) == 0)
            let filling = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
            while write(writing, filling, filling.count) > 0 {}
            let worker = try Program(
                "onboard", ["work"], environment: stage.environment.merging(["ONBOARD_LOG_LEVEL": "trace"]) { $1 },
                errorsTo: pipe.fileHandleForWriting
            ).start()
            try await stage.run(Self.jobs)
            try await eventually("the jobs' ends") { try await stage.count("state = 'completed'") == 20 }
            // For longer than a line waits for room.
            try await Task.sleep(for: .seconds(3))
            var text = ""
            try await eventually("the count") {
                var bytes = [UInt8](repeating: 0, count: 65_536)
                while case let count = read(reading, &bytes, bytes.count), count > 0 {
                    text += String(decoding: bytes[..<count], as: UTF8.self)
                }
                return text.contains(/"message":"log lines could not be written and were dropped".*"lines":[0-9]+/)
            }
            worker.signal(SIGTERM)
            #expect(try await worker.ended().exitCode == 0)
        }
    }

    @Test func `a reader of the log that has stopped does not stop the worker`() async throws {
        try await withStage { stage in
            let pipe = Pipe()
            let filling = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
            let writing = pipe.fileHandleForWriting.fileDescriptor
            #expect(fcntl(writing, F_SETFL, O_NONBLOCK) == 0)
            while write(writing, filling, filling.count) > 0 {}
            #expect(fcntl(writing, F_SETFL, 0) == 0)
            try await stage.run(Self.jobs)
            let worker = try Program(
                "onboard", ["work", "--until-idle"], environment: stage.environment,
                errorsTo: pipe.fileHandleForWriting
            ).start()
            #expect(try await worker.ended().exitCode == 0)
            #expect(try await stage.count("state = 'completed'") == 20)
        }
    }

    @Test(arguments: [
        "status", "status --watch", "jobs list", "jobs show 1", "providers list", "contract iron.customer.create",
        "--help", "jobs list --help", "--version", "help", "--generate-completion-script bash", "migrate",
        "providers pause iron",
    ])
    func `output that cannot be written is exit code 74`(command: String) async throws {
        try await withStage { stage in
            try await stage.run(Load.juicyway(1))
            for redirection in [">/dev/full", ">&-"] {
                let ended = try await shell("exec \"$0\" \(command) \(redirection)", stage)
                #expect(ended.exitCode == 74, "\(redirection) \(ended.errors)")
                #expect(ended.errors.hasPrefix("onboard: cannot write to standard output: "), "\(ended.errors)")
            }
        }
    }

    @Test(arguments: ["--print-environment", "--help"])
    func `the simulator's output that cannot be written is exit code 74`(arguments: String) async throws {
        for redirection in [">/dev/full", ">&-"] {
            let ended = try await Program(shell: "exec \"$0\" \(arguments) \(redirection)", "onboard-simulator").start()
                .ended()
            #expect(ended.exitCode == 74, "\(redirection) \(ended.errors)")
        }
        let ended = try await Program.run("onboard-simulator", [arguments])
        #expect(ended.exitCode == 0 && ended.output.contains("sandbox-key"))
    }

    @Test(arguments: ["status --watch", "jobs list", "contract iron.identification.create", "--help"])
    func `a reader that ends ends the command, quietly`(command: String) async throws {
        try await withStage { stage in
            try await stage.run(Load.juicyway(2000))
            let ended = try await shell(
                "{ \"$0\" \(command) --limit 2000 2>&1 || \"$0\" \(command); echo \"code $?\" >&2; } | head -1",
                stage)
            #expect(ended.output.split(separator: "\n").count == 1)
            #expect(ended.errors == "code 0\n")
        }
    }

    @Test func `standard input that cannot be read is wrong usage`() async throws {
        try await withStage { stage in
            for redirection in ["<&-", "</"] {
                let ended = try await shell("exec \"$0\" validate iron.customer.create \(redirection)", stage)
                #expect(ended.exitCode == 64, "\(ended.errors)")
            }
        }
    }

    @Test func `no value of a row reaches the terminal as anything but text`() async throws {
        try await withStage { stage in
            try await stage.run(
                """
                INSERT INTO onboarding.jobs (kind, payload, reference)
                VALUES ('iron.customer.create', '{"customer_type": "Person", "email": "a@b"}',
                    E'x\\u001b[2J\\u009b31m\\r\\nstate  completed\\u202e\\u2028');
                UPDATE onboarding.jobs SET last_error = reference, unique_key = reference, order_key = reference,
                    claimed_by = reference;
                SELECT onboarding.pause_provider('iron', E'why\\u001b[31m\\nforged');
                """)
            for command in ["jobs show 1", "jobs list", "providers list", "status"] {
                let ended = try await shell("exec \"$0\" \(command)", stage)
                #expect(ended.exitCode == 0, "\(ended.errors)")
                let controls = ended.output.unicodeScalars.filter {
                    $0 != "\n" && [.control, .format, .lineSeparator].contains($0.properties.generalCategory)
                }
                #expect(controls.isEmpty, "\(command): \(ended.output.debugDescription)")
                #expect(!ended.output.contains(/\n(state  completed|forged)/))
            }
            let shown = try await shell("exec \"$0\" jobs show 1", stage).output
            #expect(shown.contains(#"x\u001b[2J\u009b31m\r\nstate  completed\u202e\u2028"#))
        }
    }
}
