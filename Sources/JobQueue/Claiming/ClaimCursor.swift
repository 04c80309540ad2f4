/// Where the claims of one provider have got to, for each priority.
///
/// Index entries of claimed jobs stay dead in front of the queue for as long as any transaction keeps
/// them from being vacuumed; going on behind the last claimed job spares walking over them. What lies
/// before the cursor is found by looking back: what is due again, or was committed late, mostly lies where
/// the cursor was a moment ago.
package struct ClaimCursor: Sendable, Equatable {
    struct Position: Sendable, Equatable {
        var runAt: String
        var id: Int64

        // The database prints these times in UTC, so that the order of the texts is the order in time.
        static func < (left: Position, right: Position) -> Bool { (left.runAt, left.id) < (right.runAt, right.id) }
    }

    /// Where a claim begins.
    package enum Look: Sendable {
        /// Behind the last claimed job.
        case onward
        /// Where the cursor was at the last but one ``ClaimCursor/remember()``.
        case back
        /// At the start of every priority.
        case sweep
    }

    /// The priorities that jobs may have, in the order of claims.
    static let priorities = 0...9

    /// Where the next claim begins.
    package private(set) var look = Look.sweep
    private var known: [Int: Position] = [:]
    /// Where it was at the last ``remember()``, and at the one before; for a priority that is new since, its first place.
    private var remembered: [Int: Position] = [:]
    private var rear: [Int: Position] = [:]

    /// A cursor at the start.
    package init() {}

    /// Says where the next claim begins.
    package mutating func begin(_ look: Look) {
        self.look = look
    }

    /// Keeps the present place for those that will look back.
    package mutating func remember() {
        rear = remembered
        remembered = known
    }

    /// Where the next claim begins in each of ``priorities``; nil: at its start.
    var positions: [Position?] {
        Self.priorities.map { priority in
            switch look {
            case .sweep: nil
            case .onward: known[priority]
            case .back:
                // The place may have gone back since.
                known[priority].map { place in rear[priority].map { $0 < place ? $0 : place } ?? place }
            }
        }
    }

    /// Whether a look back would have missed what lies there.
    func isFarBack(_ position: Position, priority: Int) -> Bool {
        rear[priority].map { position < $0 } ?? false
    }

    /// Moves behind what a claim brought: the last job of each priority.
    ///
    /// A look back that brought jobs may have left others of the last priority that it came to: there the cursor
    /// goes back to what it brought. It keeps its place in the priorities before, which were looked through,
    /// and behind, which the next look comes to.
    mutating func claimed(_ last: [Int: Position]) {
        let lowest = last.keys.max()
        for (priority, position) in last {
            if let present = known[priority], position < present, !(look != .onward && priority == lowest) { continue }
            known[priority] = position
            if remembered[priority] == nil { remembered[priority] = position }
            if rear[priority] == nil { rear[priority] = position }
        }
        look = .onward
    }
}
