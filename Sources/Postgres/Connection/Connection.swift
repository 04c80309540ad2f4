import CPostgres
import NIOConcurrencyHelpers

/// One session on the server, on a thread of its own.
///
/// A call runs from its first byte to its last result without a suspension, so that calls of several tasks follow
/// each other and never mix. What must hold across calls, a transaction above all, needs a connection that nobody
/// else uses: ``Pool/withTransaction(_:)`` gives one.
///
/// When the task that waits for a call is cancelled, the statement is cancelled on the server, and the call throws
/// ``PostgresError/Code/cancelled``; if the statement ended before that, its result is returned. The connection
/// stays usable, unless the error's ``PostgresError/isConnectionLost`` says otherwise.
package actor Connection {
    let configuration: ConnectionConfiguration
    let executor: ThreadExecutor
    var handle = ConnectionHandle()
    /// The texts of the statements that this session has prepared, by name; as many as the program has names.
    private var prepared: [String: String] = [:]
    /// Names whose plan the server refused: to be prepared again.
    private var forgotten: Set<String> = []
    /// The current call; a cancellation names the call it means, so that a late one never hits the next.
    private var serial: UInt64 = 0
    private let cancelledSerial = NIOLockedValueBox<UInt64>(0)

    /// How long a silent server is waited for: to connect, to answer after a pause, and before a statement that takes longer
    /// makes us ask whether the server is alive.
    var patience: Duration
    /// The keywords that lead to this server alone.
    var server: [(String, String)] = []
    /// How many bytes the largest result had.
    private var largestResult = 0
    /// A connection that has brought more is used no longer than needed.
    private static let largestKept = 4 << 20
    /// When the server was heard last.
    private var lastHeard = ContinuousClock.now
    /// Whether the connection was given up because the server was silent; others to the same server are suspect then.
    package private(set) var wasSilent = false

    /// The process id of the server's process for this session.
    package internal(set) var backendPID = 0
    /// The server's `server_version_num`, such as 150018.
    package internal(set) var serverVersion = 0

    /// The thread of this connection. It is the actor's own property, so it lives as long as the actor.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Which of the strings of the configuration's source led here.
    private let generation: Int

    private init(_ configuration: ConnectionConfiguration, generation: Int) throws(PostgresError) {
        self.configuration = configuration
        self.generation = generation
        patience = configuration.connectTimeout
        executor = try ThreadExecutor()
    }

    deinit {
        executor.stop()
    }

    /// Opens a session and sets its limits.
    ///
    /// - Throws: ``PostgresError`` with `invalidConnectionString`, `connectionFailed`, `serverTooOld`, `timedOut`
    ///   or `cancelled`; in each case nothing is left behind.
    package static func open(_ configuration: ConnectionConfiguration) async throws(PostgresError) -> Connection {
        let reading = configuration.source?.latest()
        let string = try configuration.keywords(of: reading?.text ?? configuration.connectionString)
        let connection = try Connection(configuration, generation: reading?.generation ?? 0)
        try await connection.establish(string)
        return connection
    }

    /// Runs one statement; the deadline defaults to the configuration's.
    ///
    /// - Throws: ``PostgresError``; the type's comment says what cancelling does.
    package func query(_ statement: Statement, timeout: Duration? = nil) async throws(PostgresError) -> Rows {
        if let fault = statement.fault { throw fault }
        let limit = timeout ?? configuration.statementTimeout
        return try await cancellable { () throws(PostgresError) in
            try self.checkServer()
            return try self.withServerTimeout(limit) { () throws(PostgresError) in try self.execute(statement, limit) }
        }
    }

    /// Runs a text of many statements by the simple protocol, in one implicit transaction unless it says otherwise.
    ///
    /// - Throws: ``PostgresError`` of the first statement that failed; those after it did not run.
    package func run(script: String, timeout: Duration? = nil) async throws(PostgresError) {
        guard !script.utf8.contains(0) else {
            throw PostgresError(.invalidParameter, "the script holds a NUL character")
        }
        let limit = timeout ?? configuration.statementTimeout
        _ = try await cancellable { () throws(PostgresError) in
            try self.checkServer()
            return try self.withServerTimeout(limit) { () throws(PostgresError) in
                try self.execute(script: script, limit)
            }
        }
    }

    /// Ends the session; allowed at any time, also twice.
    package func close() async {
        handle.finish()
    }

    /// Whether a next statement can be sent: the link is up and no transaction is open. And whether it should: libpq keeps
    /// a buffer as large as the largest row that has come.
    package var isReusable: Bool {
        isCurrent && isLinkUp() && handle.transactionStatus == PQTRANS_IDLE && largestResult <= Self.largestKept
    }

    /// Whether the connection string still leads here.
    nonisolated var isCurrent: Bool { configuration.source?.isCurrent(generation) ?? true }

    /// Waits for notifications; an empty list when the time is over or the task is cancelled.
    ///
    /// - Throws: ``PostgresError/Code/connectionLost``.
    func notifications(within limit: Duration) async throws(PostgresError) -> [Notification] {
        let deadline = ContinuousClock.now + limit
        return try await cancellable { () throws(PostgresError) in
            while true {
                guard self.handle.consumeInput(), self.handle.isOK else { throw self.lost() }
                var received: [Notification] = []
                while received.count < 1000, let next = self.handle.nextNotification() {
                    received.append(.received(channel: next.channel, payload: next.payload))
                }
                if !received.isEmpty || self.isCancelled || ContinuousClock.now >= deadline { return received }
                _ = self.executor.wait(socket: self.handle.socket, for: .read, until: deadline)
            }
        }
    }

    /// Makes sure that the server still answers.
    ///
    /// - Throws: ``PostgresError/Code/closed``: nothing of a caller's was sent.
    func check() async throws(PostgresError) {
        try await cancellable { () throws(PostgresError) in try self.checkServer() }
    }

    /// Runs a statement although the task may be cancelled already: for ROLLBACK.
    func queryShielded(_ statement: Statement, timeout: Duration) throws(PostgresError) -> Rows {
        serial += 1
        return try execute(statement, timeout)
    }
}

// MARK: - Running

extension Connection {
    /// Runs the body with the task's cancellation watched. The body has no suspension and stays on our thread.
    func cancellable<T: Sendable>(_ body: () throws(PostgresError) -> T) async throws(PostgresError) -> T {
        serial += 1
        let current = serial
        let result: Result<T, PostgresError> = await withTaskCancellationHandler {
            guard !self.isCancelled else {
                return .failure(PostgresError(.cancelled, "cancelled before anything was sent"))
            }
            do throws(PostgresError) { return .success(try body()) } catch { return .failure(error) }
        } onCancel: {
            cancelledSerial.withLockedValue { $0 = max($0, current) }
            executor.wake()
        }
        return try result.get()
    }

    var isCancelled: Bool { cancelledSerial.withLockedValue { $0 } == serial }

    /// Lifts the server's own limit where a call may take longer. In a transaction that fails the SET is undone by
    /// the rollback, so a RESET that the server refuses does no harm.
    private func withServerTimeout(_ limit: Duration, _ body: () throws(PostgresError) -> Rows)
        throws(PostgresError) -> Rows
    {
        guard limit > configuration.statementTimeout else { return try body() }
        let longer = (limit + configuration.cancelGrace).milliseconds
        _ = try execute(script: "SET statement_timeout = \(longer)", configuration.statementTimeout)
        defer {
            if handle.isOK, handle.transactionStatus != PQTRANS_INERROR {
                let usual = "SET statement_timeout = \(configuration.serverStatementTimeout)"
                // A failure shows again at the next statement, as a lost link.
                _ = try? execute(script: usual, configuration.cancelGrace)
            }
        }
        return try body()
    }

    private func execute(_ statement: Statement, _ limit: Duration) throws(PostgresError) -> Rows {
        guard let name = statement.name else {
            return try roundTrip(limit) { self.handle.send(statement, prepared: nil) }
        }
        let deadline = ContinuousClock.now + limit
        let wasPrepared = prepared[name] != nil
        do {
            try prepare(statement, name, limit)
            return try roundTrip(deadline - ContinuousClock.now) { self.handle.send(statement, prepared: name) }
        } catch {
            // The server has lost the statement, or a migration has changed the type of its result.
            guard error.sqlState == .invalidStatementName || error.sqlState == .featureNotSupported else { throw error }
            let isStale = wasPrepared || error.sqlState == .invalidStatementName
            // In a transaction the failure has ended it, so only the caller can begin again; forgetting is enough.
            let canRepeat = isStale && handle.isOK && handle.transactionStatus == PQTRANS_IDLE
            if isStale { forgotten.insert(name) }
            guard canRepeat else { throw error }
            try prepare(statement, name, limit)
            return try roundTrip(deadline - ContinuousClock.now) { self.handle.send(statement, prepared: name) }
        }
    }

    private func prepare(_ statement: Statement, _ name: String, _ limit: Duration) throws(PostgresError) {
        if let known = prepared[name] {
            if known == statement.sql, !forgotten.contains(name) { return }
            prepared[name] = nil
            let quoted = name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
            do {
                _ = try execute(script: "DEALLOCATE \"\(quoted)\"", limit)
            } catch {
                // Gone already is what we want; anything else the next step reports as well.
                guard error.sqlState == .invalidStatementName else { throw error }
            }
        }
        forgotten.remove(name)
        _ = try roundTrip(limit) { self.handle.sendPrepare(statement, name: name) }
        prepared[name] = statement.sql
    }

    func execute(script: String, _ limit: Duration) throws(PostgresError) -> Rows {
        try roundTrip(limit) { self.handle.send(script: script) }
    }

    /// Asks a server that was not heard for some time before anything is sent to it: a host may have gone without a word, and
    /// what was not sent can go to another one.
    private func checkServer() throws(PostgresError) {
        guard ContinuousClock.now - lastHeard > patience else { return }
        do throws(PostgresError) {
            // Without a cancel, which a silent server takes no more than this.
            _ = try roundTrip(patience, grace: .zero) { self.handle.send(script: "") }
        } catch {
            guard error.isConnectionLost else { return }
            throw PostgresError(.closed, error.message, closedConnection: true)
        }
    }

    /// Sends and reads to the last result. Every way out leaves the connection ready for the next call, or closed.
    private func roundTrip(_ limit: Duration, grace: Duration? = nil, send: () -> Bool) throws(PostgresError) -> Rows {
        guard isLinkUp() else {
            handle.finish()
            throw PostgresError(.closed, "the connection is closed", closedConnection: true)
        }
        let now = ContinuousClock.now
        var progress = StatementProgress(
            now: now, deadline: now + limit, grace: grace ?? configuration.cancelGrace, patience: patience)
        var requests = Requests()
        guard send() else { throw lost() }
        var sending = handle.flush()
        while sending != 0 || handle.isBusy {
            guard sending >= 0 else { break }
            let ready = try step(&progress, &requests, sending: sending == 1)
            // While sending, the server may be waiting for us to read: both are done.
            if ready.isReadable, !handle.consumeInput() { break }
            if sending == 1 { sending = handle.flush() }
        }
        return try collect(&progress, &requests)
    }

    /// One wait, or one cancel request, as the progress says.
    private func step(_ progress: inout StatementProgress, _ requests: inout Requests, sending: Bool)
        throws(PostgresError) -> ThreadExecutor.Readiness
    {
        let interest: ThreadExecutor.Interest = sending ? .readOrWrite : .read
        let isAnswered = requests.ping?.isAnswered
        switch progress.next(now: ContinuousClock.now, isCancelled: isCancelled, isAnswered: isAnswered) {
        case .wait(let deadline):
            return executor.wait(socket: handle.socket, for: interest, until: deadline)
        case .ping:
            // A busy server that is slow to take new sessions is not silent: this one must not end too soon.
            let limit = ("connect_timeout", String(max(5, (patience.milliseconds + 999) / 1000)))
            let keywords = server.filter { $0.0 != limit.0 } + [limit]
            requests.ping = ServerPing(keywords) { [executor] in executor.wake() }
        case .requestCancel:
            requests.cancel = handle.makeCancel()
            requests.cancel?.send { [executor] in executor.wake() }
        case .abandon:
            // If it is we who stood still, the answer is there.
            let ready = executor.wait(socket: handle.socket, for: interest, until: ContinuousClock.now)
            guard ready.isReadable else { throw abandoned(progress) }
            return ready
        }
        return ThreadExecutor.Readiness()
    }

    /// What was asked beside the connection while a statement runs.
    private struct Requests {
        var cancel: CancelHandle?
        var ping: ServerPing?
    }

    /// Reads the results until there are no more, then lets a cancel request that is under way arrive.
    private func collect(_ progress: inout StatementProgress, _ requests: inout Requests)
        throws(PostgresError) -> Rows
    {
        var rows = Rows.none
        var failure: PostgresError?
        while true {
            while handle.isBusy {
                let ready = try step(&progress, &requests, sending: false)
                if ready.isReadable, !handle.consumeInput() { break }
            }
            guard let result = handle.nextResult() else { break }
            if let error = result.error {
                failure = failure ?? error
                if result.isCopy { break }
            } else if failure == nil {
                rows = result.rows()
                largestResult = max(largestResult, rows.byteCount)
            }
        }
        guard handle.isOK else { throw lost(failure) }
        lastHeard = .now
        if failure?.code == .unsupported { handle.finish() }
        while let action = progress.finish(
            now: ContinuousClock.now, cancelArrived: requests.cancel?.hasArrived ?? false)
        {
            guard case .wait(let deadline) = action else { throw abandoned(progress) }
            _ = executor.wait(socket: -1, for: .read, until: deadline)
        }
        guard let failure else { return rows }
        throw stopped(failure, progress.stop)
    }

    /// The cancel that we asked for is named after its reason.
    private func stopped(_ failure: PostgresError, _ stop: StatementProgress.Stop?) -> PostgresError {
        guard failure.sqlState == .queryCanceled else { return failure }
        switch stop {
        case .timedOut: return failure.with(.timedOut)
        case .cancelled: return failure.with(.cancelled)
        case .silent, nil: return failure
        }
    }

    private func abandoned(_ progress: StatementProgress) -> PostgresError {
        handle.finish()
        wasSilent = true
        let unanswered = "the server did not answer the cancel request; the connection was closed"
        return switch progress.stop {
        case .silent:
            PostgresError(
                .connectionLost, "the server no longer answers; the connection was closed", closedConnection: true)
        case .cancelled: PostgresError(.cancelled, unanswered, closedConnection: true)
        case .timedOut, nil: PostgresError(.timedOut, unanswered, closedConnection: true)
        }
    }

    private func lost(_ failure: PostgresError? = nil) -> PostgresError {
        let message = ServerMessage.oneLine(handle.message)
        handle.finish()
        if let failure { return failure.with(.connectionLost, closedConnection: true) }
        return PostgresError(.connectionLost, message.isEmpty ? "the link broke" : message, closedConnection: true)
    }

    /// Takes what has arrived unasked, such as the word of a server that goes away, before anything is sent.
    private func isLinkUp() -> Bool {
        // Rounds, since a last message is read before the end of the link is; bounded, since notifications may go on.
        for _ in 0..<16 {
            guard handle.isOK else { return false }
            let ready = executor.wait(socket: handle.socket, for: .read, until: ContinuousClock.now)
            guard ready.isReadable else { return true }
            // Asking whether it is busy makes libpq take the message apart.
            guard handle.consumeInput(), !handle.isBusy else { return false }
        }
        return handle.isOK
    }
}
