package import Foundation

// @unchecked: `Process` is set up before it is shared, and Foundation guards its running state with a lock.
/// A program, of this package as a rule, run as a process of its own.
package final class Program: @unchecked Sendable {
    /// How a process ended.
    package struct Ended: Sendable {
        /// Its exit code, or the number of the signal that ended it.
        package let exitCode: Int32
        /// What it wrote to standard output.
        package let output: String
        /// What it wrote to standard error.
        package let errors: String
    }

    private let process = Process()
    private let outputFile: URL
    private let errorFile: URL

    /// Prepares the built program `name`; its output goes to files, so that no pipe can fill up.
    ///
    /// - Parameter errorsTo: where standard error goes instead.
    package convenience init(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], errorsTo: FileHandle? = nil
    ) {
        self.init(at: Self.productsFolder.appendingPathComponent(name), arguments, environment: environment)
        if let errorsTo { process.standardError = errorsTo }
    }

    /// Prepares a shell that runs `line`, in which `$0` is the built program `name`.
    package convenience init(shell line: String, _ name: String, environment: [String: String] = [:]) {
        self.init(
            at: URL(fileURLWithPath: "/bin/sh"), ["-c", line, Self.productsFolder.appendingPathComponent(name).path],
            environment: environment)
    }

    /// Prepares a program that is not of this package.
    package init(at file: URL, _ arguments: [String], environment: [String: String] = [:]) {
        let folder = FileManager.default.temporaryDirectory
        outputFile = folder.appendingPathComponent("onboard-test-\(UUID().uuidString).out")
        errorFile = folder.appendingPathComponent("onboard-test-\(UUID().uuidString).err")
        _ = FileManager.default.createFile(atPath: outputFile.path, contents: nil)
        _ = FileManager.default.createFile(atPath: errorFile.path, contents: nil)
        process.executableURL = file
        process.arguments = arguments
        var inherited = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("ONBOARD_") && !$0.key.hasPrefix("PG")
        }
        inherited.merge(environment) { $1 }
        process.environment = inherited
        process.standardInput = FileHandle.nullDevice
        // Nil only if the files vanished.
        process.standardOutput = try? FileHandle(forWritingTo: outputFile)
        process.standardError = try? FileHandle(forWritingTo: errorFile)
    }

    deinit {
        if process.isRunning { process.terminate() }
        // A leftover harms nobody.
        for file in [outputFile, errorFile] { try? FileManager.default.removeItem(at: file) }
    }

    /// Where the build put the executables: beside the test bundle.
    package static let productsFolder: URL = {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: bundle).resolvingSymlinksInPath().deletingLastPathComponent()
    }()

    /// What it has written to standard output so far.
    package var output: String { Self.text(outputFile) }
    /// What it has written to standard error so far.
    package var errors: String { Self.text(errorFile) }

    /// Unreadable reads as empty.
    private static func text(_ file: URL) -> String { (try? String(contentsOf: file, encoding: .utf8)) ?? "" }

    /// Its process id; 0 before it was started.
    package var processID: Int32 { process.processIdentifier }
    /// Whether it has been started and has not ended.
    package var isRunning: Bool { process.isRunning }

    /// Its exit code, or the number of the signal that ended it; nil while it runs.
    package var exitCode: Int32? { process.isRunning ? nil : process.terminationStatus }

    /// Starts the process and returns at once.
    @discardableResult package func start() throws -> Program {
        try process.run()
        return self
    }

    /// Sends a signal to this process alone.
    package func signal(_ number: Int32) {
        kill(process.processIdentifier, number)
    }

    /// Waits for the end, at most `seconds`; then kills it and throws.
    package func ended(within seconds: Double = 240) async throws -> Ended {
        let what = "the end of \(process.arguments ?? [])"
        try await eventually(within: seconds, "\(what), which says last: \(errors.suffix(1000));") {
            !process.isRunning
        }
        return Ended(exitCode: process.terminationStatus, output: output, errors: errors)
    }

    /// Runs a program to its end.
    package static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], within seconds: Double = 240
    ) async throws -> Ended {
        try await Program(name, arguments, environment: environment).start().ended(within: seconds)
    }
}

/// What was waited for did not come in time.
package struct NotInTime: Error, CustomStringConvertible {
    /// What it was, and how long the wait.
    package let description: String

    /// One sentence.
    package init(description: String) { self.description = description }
}

/// Waits until `condition` holds, looking every 20 ms; other processes have no probe to await.
package func eventually(
    within seconds: Double = 240, _ what: @autoclosure () -> String, _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while try await !condition() {
        guard clock.now < end else { throw NotInTime(description: "\(what()) did not come within \(seconds) s") }
        try await Task.sleep(for: .milliseconds(20))
    }
}
