import ArgumentParser
import JobQueue
import Postgres

/// `onboard status`: the state of the queue.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the state of the queue, a row a provider.")

    @OptionGroup var database: DatabaseOptions

    @Flag(help: "Redraw every two seconds until interrupted.")
    var watch = false

    func run() async throws {
        repeat {
            let (table, needs) = try await database.withDesk { desk throws(PostgresError) in
                (try await desk.status(), try await desk.needsPerson())
            }
            // Clears the screen and goes to its top.
            if watch { print("\u{1B}[2J\u{1B}[H", terminator: "") }
            Terminal.show(table)
            if !needs.rows.isEmpty {
                print("\nNeeds a person")
                Terminal.show(needs)
            }
            if watch { try await Task.sleep(for: .seconds(2)) }
        } while watch
    }
}
