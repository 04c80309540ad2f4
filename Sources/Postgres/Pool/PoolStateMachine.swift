/// Decides who gets which connection, and who may open one.
///
/// A value without I/O. Each slot is in one of three places: opening, leased, or idle; their sum never exceeds the
/// size. Requests that find nothing wait in line. After a failed attempt to open, one request at a time tries again,
/// after a pause, so that a server that comes back is not met by all at once.
struct PoolStateMachine<Connection, Waiter> {
    typealias ID = Int

    /// What a request gets.
    enum Grant {
        /// A connection that was idle.
        case lease(Connection)
        /// A free slot: open a connection after the pause, then say ``opened()`` or ``openFailed(pause:)``.
        case open(after: Duration)
    }

    /// The answer to a request.
    enum Answer {
        case granted(Grant)
        /// Nothing is free; the waiter is in line under this number.
        case wait(ID)
        case shutDown
        /// The line is full.
        case refused
    }

    /// Somebody in line who now gets something.
    struct Handover {
        let waiter: Waiter
        let grant: Grant
    }

    let size: Int
    let maxWaiters: Int
    private(set) var idle: [Connection] = []
    private(set) var leased = 0
    private(set) var opening = 0
    private(set) var isShutDown = false
    /// The pause before the next attempt to open; zero while opening works.
    private var pause = Duration.zero
    private var line: [(id: ID, waiter: Waiter)] = []
    private var nextID = 0

    init(size: Int, maxWaiters: Int) {
        precondition(size > 0, "a pool of \(size) connections")
        self.size = size
        self.maxWaiters = maxWaiters
    }

    /// How many wait in line.
    var waiting: Int { line.count }

    /// Somebody wants a connection.
    mutating func requested(_ waiter: Waiter) -> Answer {
        if isShutDown { return .shutDown }
        if line.isEmpty, let grant = grant() { return .granted(grant) }
        guard line.count < maxWaiters else { return .refused }
        nextID += 1
        line.append((nextID, waiter))
        return .wait(nextID)
    }

    /// Somebody in line has no more time; nil if the handover came first.
    mutating func gaveUp(_ id: ID) -> Waiter? {
        guard let index = line.firstIndex(where: { $0.id == id }) else { return nil }
        return line.remove(at: index).waiter
    }

    /// A granted attempt to open has worked; the connection is leased by who opened it.
    mutating func opened() -> [Handover] {
        opening -= 1
        leased += 1
        pause = .zero
        return handOver()
    }

    /// A granted attempt to open has failed; the next one has to pause.
    mutating func openFailed(pause next: Duration) -> [Handover] {
        opening -= 1
        pause = next
        return handOver()
    }

    /// A granted attempt to open was given up by its own caller, which says nothing of the server.
    mutating func openGivenUp() -> [Handover] {
        opening -= 1
        return handOver()
    }

    /// A lease ends with a connection that can be used again.
    ///
    /// After the shutdown the caller has to close it, as the second value says.
    mutating func returned(_ connection: Connection) -> (handovers: [Handover], mustClose: Bool) {
        leased -= 1
        if isShutDown { return ([], true) }
        idle.append(connection)
        return (handOver(), false)
    }

    /// Takes all idle connections out, to be closed: their server stands still.
    mutating func takeIdle() -> [Connection] {
        defer { idle = [] }
        return idle
    }

    /// A lease ends with a connection that was closed.
    mutating func dropped() -> [Handover] {
        leased -= 1
        return handOver()
    }

    /// No more leases: those in line are turned away, the idle connections are to be closed.
    mutating func shutDown() -> (waiters: [Waiter], idle: [Connection]) {
        isShutDown = true
        defer {
            line = []
            idle = []
        }
        return (line.map(\.waiter), idle)
    }

    private mutating func handOver() -> [Handover] {
        var handovers: [Handover] = []
        while !line.isEmpty, let grant = grant() {
            handovers.append(Handover(waiter: line.removeFirst().waiter, grant: grant))
        }
        return handovers
    }

    /// The one used last comes first, so that those not needed stay idle.
    private mutating func grant() -> Grant? {
        if let connection = idle.popLast() {
            leased += 1
            return .lease(connection)
        }
        guard leased + opening < size, pause == .zero || opening == 0 else { return nil }
        opening += 1
        return .open(after: pause)
    }
}

extension PoolStateMachine: Sendable where Connection: Sendable, Waiter: Sendable {}
extension PoolStateMachine.Grant: Sendable where Connection: Sendable {}
