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
            var lines = Terminal.lines(of: table)
            if !needs.rows.isEmpty { lines += ["", "Needs a person"] + Terminal.lines(of: needs) }
            try watch ? Terminal.redraw(lines) : Terminal.show(lines)
            if watch { try await Task.sleep(for: .seconds(2)) }
        } while watch && !Terminal.isOver
    }
}
