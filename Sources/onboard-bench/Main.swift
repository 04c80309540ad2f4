import ArgumentParser
import Foundation

/// `onboard-bench`: the instruments of `ops/bench`, which starts them and does the arithmetic.
@main struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "onboard-bench",
        abstract: "Instruments: a worker without a provider, a provider without work, a client alone, a caller.",
        discussion: "`ops/bench` runs them; ONBOARD_DATABASE_URL says where the queue is.",
        subcommands: [Work.self, Serve.self, Client.self, Enqueue.self])

    static func main() async {
        // Whoever reads us may end first.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(withError: error)
        }
    }
}
