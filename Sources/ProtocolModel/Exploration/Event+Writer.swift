extension Event {
    /// Who writes to the job's row under a token in this step.
    var writer: WorkerName? {
        switch self {
        case .mark(let name), .complete(let name, _), .completeLate(let name): name
        default: nil
        }
    }
}
