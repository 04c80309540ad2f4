/// Where the claims of one provider have got to, for each priority.
///
/// Index entries of claimed jobs stay dead in front of the queue for as long as any transaction keeps
/// them from being vacuumed; going on behind the last claimed job spares walking over them. What lies
/// before the cursor (retries, late commits) is found by sweeps from the start.
package struct ClaimCursor: Sendable, Equatable {
    struct Position: Sendable, Equatable {
        var runAt: String
        var id: Int64
    }

    private(set) var positions: [Int: Position] = [:]

    /// A cursor at the start.
    package init() {}

    /// Whether anything lies behind it at all.
    package var isAtStart: Bool { positions.isEmpty }

    /// Moves behind a claimed job; moves never go back.
    mutating func advance(priority: Int, runAt: String, id: Int64) {
        let position = Position(runAt: runAt, id: id)
        guard let present = positions[priority] else {
            positions[priority] = position
            return
        }
        // The database prints these times in UTC, so that the order of the texts is the order in time.
        if (runAt, id) > (present.runAt, present.id) { positions[priority] = position }
    }

    /// Goes back to the start; the next claim is a sweep.
    package mutating func reset() {
        positions = [:]
    }
}
