/// How an attempt ended and what it wants written: `CallResult` and `Decision` in one.
struct Ending: Hashable {
    var outcome: AttemptOutcome
    var next: RowState
    var step: CallStep = .create
    /// `counts_attempt`.
    var counts = true
    /// `may_have_reached`.
    var reached = false
    /// `proves_absence`: no request before the claim had an effect or will have one.
    var provesAbsence = false
    var keyUse = KeyUse.same
    /// The HTTP status that the call brought.
    var status = CreateStatus.other
    var doubt: Doubt?

    /// The call brought the provider's id.
    var hasID: Bool { outcome == .succeeded || outcome == .adopted }

    static let notSent = Ending(outcome: .notSent, next: .available, counts: false)
}
