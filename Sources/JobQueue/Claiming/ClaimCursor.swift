/// Where the claims of one provider have got to, for each priority.
///
/// Index entries of claimed jobs stay dead in front of the queue for as long as any transaction keeps
/// them from being vacuumed; going on behind the last claimed job spares walking over them. What lies
/// before the cursor (retries, late commits) is found by sweeps from the start.
package struct ClaimCursor: Sendable, Equatable {
    struct Position: Sendable, Equatable {
        var runAt: String
        var id: Int64

        // The database prints these times in UTC, so that the order of the texts is the order in time.
        static func < (left: Position, right: Position) -> Bool { (left.runAt, left.id) < (right.runAt, right.id) }
    }

    /// The priorities that jobs may have, in the order of claims.
    static let priorities = 0...9

    private var known: [Int: Position] = [:]
    /// Whether the next claim begins at the start of every priority.
    package private(set) var isSweep = true

    /// A cursor at the start.
    package init() {}

    /// Makes the next claim a sweep from the start.
    package mutating func sweep() {
        isSweep = true
    }

    /// Where the next claim begins in each of ``priorities``; nil: at its start.
    var positions: [Position?] { Self.priorities.map { isSweep ? nil : known[$0] } }

    /// Moves behind what a claim brought: the last job of each priority.
    ///
    /// A sweep that brought jobs may have left others of the last priority that it came to: there the cursor
    /// goes back to what it brought. It keeps its place in the priorities before, which were looked through,
    /// and behind, which the next sweep comes to.
    mutating func claimed(_ last: [Int: Position]) {
        let lowest = last.keys.max()
        for (priority, position) in last {
            if let present = known[priority], position < present, !(isSweep && priority == lowest) { continue }
            known[priority] = position
        }
        isSweep = false
    }
}
