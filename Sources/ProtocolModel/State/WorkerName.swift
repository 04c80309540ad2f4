/// The two workers. Reaper and operator have no state of their own.
enum WorkerName: String, Hashable, CaseIterable {
    case first = "A"
    case second = "B"

    var other: WorkerName { self == .first ? .second : .first }
}
