import CPostgres

extension Connection {
    /// Connects and sets the session's limits, or leaves nothing open.
    func establish(_ keywords: [(String, String)], hosts: Int) async throws(PostgresError) {
        let limit = configuration.connectTimeout * hosts
        do {
            _ = try await cancellable { () throws(PostgresError) in
                try self.connect(keywords, deadline: ContinuousClock.now + limit)
                return try self.execute(
                    script: self.configuration.sessionScript(userOptions: self.handle.options), limit)
            }
        } catch {
            handle.finish()
            throw error
        }
    }

    private func connect(_ keywords: [(String, String)], deadline: ContinuousClock.Instant) throws(PostgresError) {
        guard handle.start(keywords) else { throw connectFailure() }
        var interest = PGRES_POLLING_WRITING
        while interest != PGRES_POLLING_OK {
            try waitToConnect(writing: interest == PGRES_POLLING_WRITING, deadline: deadline)
            interest = handle.pollConnect()
            if interest == PGRES_POLLING_FAILED { throw connectFailure() }
        }
        guard handle.becomeNonBlocking() else { throw connectFailure() }
        backendPID = handle.backendPID
        serverVersion = handle.serverVersion
        guard serverVersion >= configuration.minimumServerVersion else {
            throw PostgresError(
                .serverTooOld,
                "the server is version \(serverVersion / 10_000), but \(configuration.minimumServerVersion / 10_000) "
                    + "or newer is needed")
        }
        // A pooler in between may not tell it.
        guard ["UTF8", ""].contains(handle.serverEncoding) else {
            throw PostgresError(
                .wrongEncoding, "the database has the encoding \(handle.serverEncoding), but UTF8 is needed")
        }
    }

    /// The socket is asked for each time: with several hosts it changes.
    private func waitToConnect(writing: Bool, deadline: ContinuousClock.Instant) throws(PostgresError) {
        while true {
            if isCancelled { throw PostgresError(.cancelled, "connecting was cancelled") }
            guard ContinuousClock.now < deadline else {
                throw PostgresError(.connectionFailed, "the server did not answer in time")
            }
            let ready = executor.wait(socket: handle.socket, for: writing ? .readOrWrite : .read, until: deadline)
            if writing ? ready.isWritable : ready.isReadable { return }
        }
    }

    private func connectFailure() -> PostgresError {
        let (text, state) = ServerMessage.connectFailure(handle.message)
        return PostgresError(.connectionFailed, text.isEmpty ? "out of memory" : text, sqlState: state)
    }
}
