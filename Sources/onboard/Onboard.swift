import ArgumentParser
import Foundation

/// The command `onboard`: see the README's pages on running and operating.
@main struct Onboard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "onboard",
        abstract: "Creates customers at providers, asynchronously, from a PostgreSQL table.",
        discussion: "Configuration comes from environment variables (README, \"Run it\") or a file given by --config.",
        version: Version.number,
        subcommands: [
            Migrate.self, Work.self, Status.self, Jobs.self, Providers.self, PrintContract.self, Validate.self,
        ])

    /// Turns every end into the exit code that the design's section 8 gives it.
    static func main() async {
        OutputDescriptor.prepareStandard()
        let code: Int32
        do {
            try await run(Array(CommandLine.arguments.dropFirst()))
            code = EXIT_SUCCESS
        } catch {
            code = tell(error)
        }
        LogWriter.shared.flush()
        Foundation.exit(code)
    }

    private static func run(_ arguments: [String]) async throws {
        try refuseUnknownCommand(arguments)
        var command = try parseAsRoot(arguments)
        if var asynchronous = command as? any AsyncParsableCommand {
            try await asynchronous.run()
        } else {
            try command.run()
        }
    }

    /// The argument parser would answer `nonsense --help` with the general help, as if there were such a command.
    private static func refuseUnknownCommand(_ arguments: [String]) throws {
        var command: any ParsableCommand.Type = Self.self
        let words = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
        for word in words.prefix(while: { !$0.hasPrefix("-") }) {
            let known = command.configuration.subcommands
            guard !known.isEmpty else { return }
            guard let next = known.first(where: { $0._commandName == word }) else {
                let names = known.map { $0._commandName }.joined(separator: ", ")
                throw ValidationError("'\(word)' is not a command of \(command._commandName); known are \(names)")
            }
            command = next
        }
    }

    /// Tells why the command ended, and returns its exit code.
    private static func tell(_ error: any Error) -> Int32 {
        if let failure = error as? Failure {
            Terminal.complain(["onboard: \(failure.sentence)"])
            return failure.code.rawValue
        }
        let code = exitCode(for: error)
        guard error is ValidationError || error is CleanExit || error is ExitCode || code != .failure else {
            Terminal.complain(["onboard: a bug: \(type(of: error)); please report it"])
            return Failure.Code.bug.rawValue
        }
        // Help, versions, usage and exit codes are the argument parser's to tell.
        let text = fullMessage(for: error)
        guard code.isSuccess else {
            Terminal.complain(text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
            return code.rawValue
        }
        do {
            try Terminal.write(text.isEmpty ? "" : text + "\n")
            return code.rawValue
        } catch {
            return tell(error)
        }
    }
}
