/// Listens on channels for ever, over as many connections as it takes.
///
/// Between two connections nothing is heard; the ``Notification/reconnected`` that follows tells the reader to look
/// into the tables once, in that order, so that nothing is missed. At most 256 hints wait for the reader; the oldest
/// are dropped first, since a later hint says the same.
package final class Listener: Sendable {
    /// The hints, for one reader.
    package let notifications: AsyncStream<Notification>
    private let continuation: AsyncStream<Notification>.Continuation
    private let configuration: ConnectionConfiguration
    private let channels: [String]
    private let report: @Sendable (PostgresError) -> Void

    /// Nothing is opened before ``run()``; `report` is told each failure, for a log.
    package init(
        _ configuration: ConnectionConfiguration, channels: [String],
        report: @escaping @Sendable (PostgresError) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.channels = channels
        self.report = report
        (notifications, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(256))
    }

    /// Connects, listens and reads until the task is cancelled; reconnects after a growing pause.
    package func run() async {
        var backoff = ReconnectBackoff()
        while !Task.isCancelled {
            do throws(PostgresError) {
                let connection = try await Connection.open(configuration)
                do throws(PostgresError) {
                    try await listen(on: connection, &backoff)
                } catch {
                    await connection.close()
                    throw error
                }
                await connection.close()
            } catch {
                guard error.code != .cancelled else { break }
                report(error)
                // Thrown only when the task is cancelled, which the loop sees.
                try? await Task.sleep(for: backoff.next())
            }
        }
        continuation.finish()
    }

    private func listen(on connection: Connection, _ backoff: inout ReconnectBackoff) async throws(PostgresError) {
        for channel in channels {
            let quoted = channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
            _ = try await connection.query(Statement("LISTEN \"\(quoted)\""))
        }
        backoff = ReconnectBackoff()
        continuation.yield(.reconnected)
        while !Task.isCancelled {
            let received = try await connection.notifications(within: .seconds(10))
            for notification in received { continuation.yield(notification) }
            // Silence may be a dead link: a question shows it.
            if received.isEmpty { try await connection.check() }
            // The string leads elsewhere now, where nothing has been heard.
            if !connection.isCurrent { return }
        }
    }
}
