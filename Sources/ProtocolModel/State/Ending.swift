/// How an attempt ended and what it wants written: `CallResult` and `Decision` in one.
struct Ending: Hashable {
    var next: RowState
    var step: CallStep = .create
    /// `counts_attempt`.
    var counts = true
    /// `may_have_reached`.
    var reached = false
    var keyUse = KeyUse.same
    /// The HTTP status that the call brought.
    var status = CreateStatus.other
    /// The call brought the provider's id.
    var hasID = false
    /// The outcome is `not_found`.
    var isNotFound = false
    /// The outcome is `unavailable` or `ambiguous`.
    var isUnanswered = false
    /// The outcome is `rejected`.
    var isRefusal = false
    /// The delay is (what is left of) the settle time.
    var waitsToSettle = false
    var doubt: Doubt?

    static let notSent = Ending(next: .available, counts: false)
}
