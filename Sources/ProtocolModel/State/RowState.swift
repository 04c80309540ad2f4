/// The states of a job's row. The explorer leaves out `blocked` and `waiting`, which no
/// worker can be in the middle of; the trace checker knows them.
package enum RowState: String, Hashable, CaseIterable {
    case blocked, available, running, waiting, uncertain, completed, failed, cancelled

    /// Nothing happens to the job by itself any more.
    var isFinal: Bool { self == .completed || self == .failed || self == .cancelled }

    /// The table of the design; the database holds it with a trigger. A state may stay.
    func mayBecome(_ next: RowState) -> Bool {
        if self == next { return true }
        return switch self {
        case .blocked: next == .available || next == .cancelled
        case .available: next == .running || next == .cancelled || next == .failed
        case .running: next != .blocked
        case .waiting: next == .running || next.isFinal
        case .uncertain: next == .completed || next == .available || next == .cancelled
        case .completed: false
        case .failed, .cancelled: next == .available
        }
    }
}
