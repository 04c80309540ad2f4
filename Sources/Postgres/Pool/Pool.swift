import NIOConcurrencyHelpers

/// A bounded number of connections for many tasks.
///
/// Connections are opened when needed, by the task that needs them, and closed when they break or at the shutdown.
package final class Pool: Sendable {
    typealias Machine = PoolStateMachine<Connection, Waiter>

    /// How a waiting task is woken; nil means that its time is over.
    struct Waiter: Sendable {
        let continuation: CheckedContinuation<Result<Machine.Grant, PostgresError>, Never>
    }

    private struct State: Sendable {
        var machine: Machine
        var backoff = ReconnectBackoff()
        /// Why connecting failed last, for those whose time is over.
        var lastFailure: PostgresError?
    }

    private let configuration: ConnectionConfiguration
    private let acquireTimeout: Duration
    private let state: NIOLockedValueBox<State>

    /// Opens nothing yet. `acquireTimeout` bounds the wait for a connection, opening included;
    /// `maxWaiters` bounds how many tasks may wait.
    package init(
        _ configuration: ConnectionConfiguration, size: Int, acquireTimeout: Duration = .seconds(10),
        maxWaiters: Int = 10_000
    ) {
        self.configuration = configuration
        self.acquireTimeout = acquireTimeout
        state = NIOLockedValueBox(State(machine: Machine(size: size, maxWaiters: maxWaiters)))
    }

    /// How many connections are open and unused, in use, and being opened, and how many tasks wait.
    package var usage: (idle: Int, leased: Int, opening: Int, waiting: Int) {
        state.withLockedValue { state in
            (state.machine.idle.count, state.machine.leased, state.machine.opening, state.machine.waiting)
        }
    }

    /// Waits until the task is cancelled, then shuts the pool down: for a group of services.
    package func run() async {
        let (stream, continuation) = AsyncStream<Never>.makeStream()
        // Ends only by cancellation; nobody ever yields.
        for await _ in stream {}
        continuation.finish()
        await shutdown()
    }

    /// Runs one statement on any connection.
    ///
    /// A connection that was found closed before anything was sent is replaced, so a restart of the server between
    /// two calls is not seen. A link that breaks after that is: ``PostgresError/Code/connectionLost``.
    package func query(_ statement: Statement, timeout: Duration? = nil) async throws(PostgresError) -> Rows {
        while true {
            let connection = try await lease()
            do throws(PostgresError) {
                let rows = try await connection.query(statement, timeout: timeout)
                await giveBack(connection)
                return rows
            } catch {
                await giveBack(connection)
                guard error.code == .closed else { throw error }
            }
        }
    }

    /// Gives the body a connection of its own; it must not be used after the body has returned.
    ///
    /// A connection that comes back inside a transaction is closed.
    package func withConnection<R>(_ body: (Connection) async throws -> R) async throws -> R {
        let connection = try await leaseUsable()
        do {
            let result = try await body(connection)
            await giveBack(connection)
            return result
        } catch {
            await giveBack(connection)
            throw error
        }
    }

    /// Runs the body between BEGIN and COMMIT, or ROLLBACK if it throws.
    ///
    /// The connection must not be used after the body has returned, and the body must not end the transaction.
    /// If the task is cancelled in the body, the rollback is run nevertheless.
    ///
    /// - Throws: ``TransactionError``, which says how far it came.
    package func withTransaction<R>(_ body: (Connection) async throws -> R) async throws(TransactionError) -> R {
        let connection = try await begin()
        let result: R
        do {
            result = try await body(connection)
        } catch {
            let failure = await rollBack(connection)
            await giveBack(connection)
            throw TransactionError.body(error, rollback: failure)
        }
        do throws(TransactionError) {
            try await commit(connection)
        } catch {
            await giveBack(connection)
            throw error
        }
        await giveBack(connection)
        return result
    }

    /// Closes the idle connections and turns away who waits; those in use are closed when they come back.
    package func shutdown() async {
        let (waiters, idle) = state.withLockedValue { $0.machine.shutDown() }
        for waiter in waiters { waiter.continuation.resume(returning: .failure(Self.closed)) }
        for connection in idle { await connection.close() }
    }

    private static let closed = PostgresError(.poolClosed, "the pool is shut down")
}

// MARK: - Transactions

extension Pool {
    private func begin() async throws(TransactionError) -> Connection {
        do throws(PostgresError) {
            while true {
                let connection = try await lease()
                do throws(PostgresError) {
                    _ = try await connection.query(Statement("BEGIN"))
                    return connection
                } catch {
                    await giveBack(connection)
                    guard error.code == .closed else { throw error }
                }
            }
        } catch {
            throw TransactionError.begin(error)
        }
    }

    private func commit(_ connection: Connection) async throws(TransactionError) {
        let rows: Rows
        do throws(PostgresError) {
            rows = try await connection.query(Statement("COMMIT"))
        } catch {
            switch error.code {
            // Nothing was sent, so the server has rolled back, or will when the connection is closed.
            case .closed: throw .commit(error)
            case .cancelled where !error.closedConnection && error.sqlState == nil:
                await abort(connection)
                throw .commit(error)
            // The server answered: it has rolled back. A cancelled COMMIT is one of them.
            case .server where !error.isConnectionLost: throw .commit(error)
            case .timedOut where !error.closedConnection, .cancelled where !error.closedConnection:
                throw .commit(error)
            default: throw .commitUnknown(error)
            }
        }
        // COMMIT of a failed transaction is answered by ROLLBACK, not by an error.
        guard rows.tag == "COMMIT" else {
            throw .commit(
                PostgresError(.transactionAborted, "a statement in the transaction had failed, so it was rolled back"))
        }
    }

    private func abort(_ connection: Connection) async {
        _ = await rollBack(connection)
    }

    private func rollBack(_ connection: Connection) async -> PostgresError? {
        do throws(PostgresError) {
            _ = try await connection.queryShielded(Statement("ROLLBACK"), timeout: .seconds(5))
            return nil
        } catch {
            await connection.close()
            return error
        }
    }
}

// MARK: - Leases

extension Pool {
    /// A connection whose link was up a moment ago.
    private func leaseUsable() async throws(PostgresError) -> Connection {
        while true {
            let connection = try await lease()
            if await connection.isReusable { return connection }
            await giveBack(connection)
        }
    }

    private func lease() async throws(PostgresError) -> Connection {
        if Task.isCancelled { throw PostgresError(.cancelled, "cancelled before anything was sent") }
        let deadline = ContinuousClock.now + acquireTimeout
        while true {
            switch try await grant(until: deadline) {
            case .lease(let connection):
                if connection.isCurrent { return connection }
                await giveBack(connection)
            case .open(let pause): return try await open(after: pause, until: deadline)
            }
        }
    }

    /// Returns a lease. A broken connection, or one in a transaction, is closed.
    private func giveBack(_ connection: Connection) async {
        guard await connection.isReusable else {
            // A server that stands still does so for all: each of the others would cost the same wait.
            let isSilent = await connection.wasSilent
            await connection.close()
            let (handovers, suspects) = state.withLockedValue { state in
                let suspects = isSilent ? state.machine.takeIdle() : []
                return (state.machine.dropped(), suspects)
            }
            wake(handovers)
            for suspect in suspects { await suspect.close() }
            return
        }
        let (handovers, mustClose) = state.withLockedValue { $0.machine.returned(connection) }
        if mustClose { await connection.close() }
        wake(handovers)
    }

    private func open(after pause: Duration, until deadline: ContinuousClock.Instant) async throws(PostgresError)
        -> Connection
    {
        do {
            let wake = ContinuousClock.now + pause
            try await Task.sleep(until: min(wake, deadline), clock: .continuous)
            guard wake < deadline else {
                self.wake(state.withLockedValue { $0.machine.openGivenUp() })
                throw timeout()
            }
            let connection = try await Connection.open(configuration)
            self.wake(
                state.withLockedValue { state in
                    state.backoff = ReconnectBackoff()
                    state.lastFailure = nil
                    return state.machine.opened()
                })
            return connection
        } catch let error as PostgresError where error.code == .poolTimeout {
            throw error
        } catch let error as PostgresError where error.code != .cancelled {
            self.wake(
                state.withLockedValue { state in
                    state.lastFailure = error
                    return state.machine.openFailed(pause: state.backoff.next())
                })
            throw error
        } catch {
            self.wake(state.withLockedValue { $0.machine.openGivenUp() })
            throw PostgresError(.cancelled, "cancelled while connecting")
        }
    }

    private func wake(_ handovers: [Machine.Handover]) {
        for handover in handovers { handover.waiter.continuation.resume(returning: .success(handover.grant)) }
    }

    private func timeout() -> PostgresError {
        let failure = state.withLockedValue { $0.lastFailure }
        let reason = failure.map { "; connecting failed last with: \($0.message)" } ?? ""
        return PostgresError(.poolTimeout, "no connection became free within \(acquireTimeout)\(reason)")
    }

    /// Takes a place in line, watched by a timer and by the task's cancellation.
    private func grant(until deadline: ContinuousClock.Instant) async throws(PostgresError) -> Machine.Grant {
        let place = NIOLockedValueBox<Int?>(nil)
        let timer = PoolTimer()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.request(Waiter(continuation: continuation), place: place)
                if place.withLockedValue({ $0 }) != nil { timer.start(deadline) { self.giveUp(place, self.timeout()) } }
                // The cancellation may have come before there was a place to give up.
                if Task.isCancelled { self.giveUp(place, PostgresError(.cancelled, "cancelled while waiting")) }
            }
        } onCancel: {
            self.giveUp(place, PostgresError(.cancelled, "cancelled while waiting for a connection"))
        }
        timer.stop()
        return try result.get()
    }

    private func request(_ waiter: Waiter, place: NIOLockedValueBox<Int?>) {
        let answer = state.withLockedValue { state in
            let answer = state.machine.requested(waiter)
            if case .wait(let id) = answer { place.withLockedValue { $0 = id } }
            return answer
        }
        switch answer {
        case .granted(let grant): waiter.continuation.resume(returning: .success(grant))
        case .wait: break
        case .shutDown: waiter.continuation.resume(returning: .failure(Self.closed))
        case .refused:
            waiter.continuation.resume(
                returning: .failure(PostgresError(.poolTimeout, "too many tasks wait for a connection")))
        }
    }

    private func giveUp(_ place: NIOLockedValueBox<Int?>, _ error: PostgresError) {
        let waiter = state.withLockedValue { state in
            place.withLockedValue { $0 }.flatMap { state.machine.gaveUp($0) }
        }
        waiter?.continuation.resume(returning: .failure(error))
    }
}
