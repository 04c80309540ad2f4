import CPostgres

extension Connection {
    /// Connects to the first server that fits, and sets the session's limits, or leaves nothing open.
    func establish(_ string: ConnectionString) async throws(PostgresError) {
        do {
            try await cancellable { () throws(PostgresError) in try self.tryEach(string) }
        } catch {
            handle.finish()
            throw error
        }
    }

    /// Tries each host, and each address of a host, for as long as one attempt may take.
    private func tryEach(_ string: ConnectionString) throws(PostgresError) {
        // Refused before any host is looked at, but with all that the environment and a service file add.
        var unusable = string
        unusable["channel_binding"] = "-"
        _ = handle.start(unusable.keywords.map { ($0.name, $0.value) })
        if let seconds = Int(handle.option("connect_timeout")), seconds > 0 { patience = .seconds(seconds) }
        let targets = ConnectionTarget.all(
            host: handle.option("host"), hostaddr: handle.option("hostaddr"), port: handle.option("port"))
        // A preference is about the whole list: first those that meet it, then any.
        let prefersStandby = handle.option("target_session_attrs") == "prefer-standby"
        var failures: [PostgresError] = []
        for wanted in prefersStandby ? ["standby", "any"] : [nil] {
            var string = string
            if let wanted { string["target_session_attrs"] = wanted }
            for target in targets {
                for address in resolve(target, &failures) {
                    do throws(PostgresError) {
                        return try open(address, string)
                    } catch {
                        guard error.permitsNextHost else { throw error }
                        failures.append(error)
                    }
                }
            }
        }
        throw Self.summary(failures)
    }

    private func open(_ target: ConnectionTarget, _ string: ConnectionString) throws(PostgresError) {
        let deadline = ContinuousClock.now + patience
        server = target.keywords(string)
        try connect(server, target, deadline: deadline)
        let script = configuration.sessionScript(
            userOptions: handle.option("options"), serverVersion: serverVersion)
        _ = try execute(script: script, deadline - ContinuousClock.now)
    }

    private func connect(_ keywords: [(String, String)], _ target: ConnectionTarget, deadline: ContinuousClock.Instant)
        throws(PostgresError)
    {
        guard handle.start(keywords) else { throw connectFailure() }
        var interest = PGRES_POLLING_WRITING
        while interest != PGRES_POLLING_OK {
            try waitToConnect(target, writing: interest == PGRES_POLLING_WRITING, deadline: deadline)
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

    /// The socket is asked for each time: it changes when libpq connects anew without TLS.
    private func waitToConnect(_ target: ConnectionTarget, writing: Bool, deadline: ContinuousClock.Instant)
        throws(PostgresError)
    {
        while true {
            if isCancelled { throw PostgresError(.cancelled, "connecting was cancelled") }
            guard ContinuousClock.now < deadline else {
                throw PostgresError(.connectionFailed, "\(target): no answer within \(patience)")
            }
            let ready = executor.wait(socket: handle.socket, for: writing ? .readOrWrite : .read, until: deadline)
            if writing ? ready.isWritable : ready.isReadable { return }
        }
    }

    /// The target with each of its addresses, the next one looked up only when the last one has failed.
    private func resolve(_ target: ConnectionTarget, _ failures: inout [PostgresError]) -> [ConnectionTarget] {
        guard target.isName else { return [target] }
        let deadline = ContinuousClock.now + patience
        let resolver = HostResolver(target.host, lookUp: configuration.lookUp) { [executor] in executor.wake() }
        while true {
            switch resolver.answer {
            case .addresses(let addresses):
                return addresses.map { address in
                    var resolved = target
                    resolved.address = address
                    return resolved
                }
            case .failed(let reason):
                failures.append(PostgresError(.connectionFailed, "\(target): the name is not known (\(reason))"))
                return []
            case nil: break
            }
            guard !isCancelled, ContinuousClock.now < deadline else {
                let reason = "looking up the name took longer than \(patience)"
                failures.append(PostgresError(.connectionFailed, "\(target): \(reason)"))
                return []
            }
            _ = executor.wait(socket: -1, for: .read, until: deadline)
        }
    }

    private func connectFailure() -> PostgresError {
        let (text, state) = ServerMessage.connectFailure(handle.message)
        return PostgresError(.connectionFailed, text.isEmpty ? "out of memory" : text, sqlState: state)
    }

    /// What all attempts failed with, each once.
    private static func summary(_ failures: [PostgresError]) -> PostgresError {
        guard let last = failures.last, failures.count > 1 else {
            return failures.first ?? PostgresError(.connectionFailed, "the connection string names no host")
        }
        var messages: [String] = []
        for failure in failures where !messages.contains(failure.message) { messages.append(failure.message) }
        return PostgresError(
            last.code, ServerMessage.oneLine(messages.joined(separator: "; ")),
            sqlState: failures.last { $0.sqlState != nil }?.sqlState)
    }
}

extension PostgresError {
    /// Whether another server may do better: this one is silent, away, starting, or of the wrong role. What it refuses with a
    /// reason, a password above all, is refused.
    fileprivate var permitsNextHost: Bool {
        switch code {
        case .connectionFailed, .connectionLost, .timedOut, .closed: sqlState.map { $0.isClass("57P") } ?? true
        default: false
        }
    }
}
