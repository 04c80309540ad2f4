/// One worker and its attempt. A real process works on many jobs; about one job it is never more than two of
/// these: a name that lost its lease and the next.
struct WorkerState: Hashable {
    var phase: WorkerPhase = .idle
    var facts = ClaimedFacts()
    var lease: Lease = .trusted
    /// Its token equals the row's.
    var holdsToken = false
    /// Ghost: nobody claimed or took over since its claim. Equals `holdsToken` as long as claims take new tokens.
    var isCurrent = false
    var ending: Ending?

    /// Whether a create of its may still land.
    var mayLand: Bool { phase == .sent }
    /// Whether it may come to send a create at all.
    var maySend: Bool {
        mayLand
            || (facts.plan == .create && lease == .trusted
                && (phase == .claimed || phase == .marked || phase == .sending))
    }
}
