import Foundation

/// A program of this package, run as a process of its own.
final class Program: @unchecked Sendable {
    // @unchecked: `Process` is used by one test at a time, and only `terminate`-like calls cross threads.
    struct Ended {
        let exitCode: Int32
        let output: String
        let errors: String
    }

    let process = Process()
    private let outputFile: URL
    private let errorFile: URL

    /// Prepares the built program `name`; its output goes to files, so that no pipe can fill up.
    init(_ name: String, _ arguments: [String], environment: [String: String] = [:]) {
        let folder = FileManager.default.temporaryDirectory
        outputFile = folder.appendingPathComponent("onboard-test-\(UUID().uuidString).out")
        errorFile = folder.appendingPathComponent("onboard-test-\(UUID().uuidString).err")
        _ = FileManager.default.createFile(atPath: outputFile.path, contents: nil)
        _ = FileManager.default.createFile(atPath: errorFile.path, contents: nil)
        process.executableURL = Self.productsFolder.appendingPathComponent(name)
        process.arguments = arguments
        var inherited = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("ONBOARD_") && !$0.key.hasPrefix("PG")
        }
        inherited.merge(environment) { $1 }
        process.environment = inherited
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try? FileHandle(forWritingTo: outputFile)  // nil only if the file vanished
        process.standardError = try? FileHandle(forWritingTo: errorFile)  // the same
    }

    deinit {
        if process.isRunning { process.terminate() }
        // A leftover harms nobody.
        for file in [outputFile, errorFile] { try? FileManager.default.removeItem(at: file) }
    }

    /// Where the build put the executables: beside the test bundle.
    static let productsFolder: URL = {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: bundle).resolvingSymlinksInPath().deletingLastPathComponent()
    }()

    var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }  // unreadable reads as empty
    var errors: String { (try? String(contentsOf: errorFile, encoding: .utf8)) ?? "" }  // the same

    /// Starts the process and returns at once.
    @discardableResult func start() throws -> Program {
        try process.run()
        return self
    }

    /// Sends a signal to this process alone.
    func signal(_ number: Int32) {
        kill(process.processIdentifier, number)
    }

    /// Waits for the end, at most `seconds`; then kills it and throws.
    func ended(within seconds: Double = 60) async throws -> Ended {
        try await eventually(within: seconds, "the end of \(process.arguments ?? [])") { !process.isRunning }
        return Ended(exitCode: process.terminationStatus, output: output, errors: errors)
    }

    /// Runs a program to its end.
    static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], within seconds: Double = 60
    ) async throws -> Ended {
        try await Program(name, arguments, environment: environment).start().ended(within: seconds)
    }
}

/// What was waited for did not come in time.
struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds, looking every 20 ms; other processes have no probe to await.
func eventually(
    within seconds: Double = 30, _ what: @autoclosure () -> String, _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while try await !condition() {
        guard clock.now < end else { throw NotInTime(description: "\(what()) did not come within \(seconds) s") }
        try await Task.sleep(for: .milliseconds(20))
    }
}
