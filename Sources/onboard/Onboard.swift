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
        // A reader of our output that goes away is not an error worth dying for.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            FileHandle.standardError.write(Data("onboard: \(failure.sentence)\n".utf8))
            Foundation.exit(failure.code.rawValue)
        } catch  where Self.isOfTheCommandLine(error) {
            exit(withError: error)
        } catch {
            FileHandle.standardError.write(Data("onboard: a bug: \(type(of: error)); please report it\n".utf8))
            Foundation.exit(Failure.Code.bug.rawValue)
        }
    }

    /// Help, versions, usage and exit codes are the argument parser's to tell.
    private static func isOfTheCommandLine(_ error: any Error) -> Bool {
        error is ValidationError || error is CleanExit || error is ExitCode || exitCode(for: error) != .failure
    }
}
