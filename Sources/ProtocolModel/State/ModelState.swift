/// Everything there is: one job, two workers, the provider. A value; the steps beside it make the next ones.
struct ModelState: Hashable {
    var row = JobRow()
    var provider = ProviderState()
    /// Ghost: a worker brought the provider's id to the database.
    var wasProved = false
    /// The operator's acts so far that began a new round.
    var rounds: UInt8 = 0
    private var first = WorkerState()
    private var second = WorkerState()

    subscript(name: WorkerName) -> WorkerState {
        get { name == .first ? first : second }
        set {
            if name == .first { first = newValue } else { second = newValue }
        }
    }

    /// Whose claim the running row is.
    var owner: WorkerName? { first.isCurrent ? .first : second.isCurrent ? .second : nil }
    /// Whether a request that was sent may still have its effect.
    var effectMayCome: Bool { provider.hasStrays || first.mayLand || second.mayLand }

    /// Whether some worker may come to send a create under `key`, or a stray under it may land.
    func maySend(under key: UInt8) -> Bool {
        (first.maySend && first.facts.key == key) || (second.maySend && second.facts.key == key)
            || provider.hasStray(under: key)
    }

    /// Gives the job a new key: a new one at the provider where it knows keys, else a word for the body.
    mutating func replaceKey() {
        row.key += 1
        row.keyIsUsed = false
        row.keyIsOld = false
        provider.memoryIsOld = false
        precondition(row.key < 8, "more keys than the masks hold")
    }

    /// Forgets that anything was sent, for nothing came of it (`last_sent_at = NULL`).
    mutating func forgetSend() {
        row.sent = .none
        row.isPastHorizon = false
    }
}
