import ArgumentParser
import JobQueue
import Postgres

/// Where the configuration is; common to all commands that need the database.
struct DatabaseOptions: ParsableArguments {
    @Option(help: "A file with lines NAME=value, as a shell and systemd read them; the environment wins.")
    var config: String?

    /// Opens a connection, gives it to `body` and closes it; errors become sentences.
    func withConnection<R>(_ body: (Connection) async throws(PostgresError) -> R) async throws(Failure) -> R {
        let settings = try Settings(file: config)
        let configuration = try ConnectionConfiguration(settings, applicationName: "onboard")
        do throws(PostgresError) {
            let connection = try await Connection.open(configuration)
            let result: Result<R, PostgresError>
            do throws(PostgresError) { result = .success(try await body(connection)) } catch {
                result = .failure(error)
            }
            await connection.close()
            return try result.get()
        } catch {
            throw Failure(error)
        }
    }

    /// Gives `body` a desk over a connection of its own.
    func withDesk<R>(_ body: (OperatorDesk) async throws(PostgresError) -> R) async throws(Failure) -> R {
        try await withConnection { connection throws(PostgresError) in try await body(OperatorDesk(connection)) }
    }
}
