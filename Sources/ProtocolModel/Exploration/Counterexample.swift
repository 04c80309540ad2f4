/// The shortest way to something that must not be.
struct Counterexample: CustomStringConvertible {
    let invariant: Invariant
    let events: [Event]
    let last: ModelState

    var description: String {
        let steps = events.enumerated().map { "  \($0.offset + 1). \($0.element)" }
        let row = last.row
        let end = "  → \(row.state.rawValue), effects at the provider: \(last.provider.effects)"
        return (["broken: \(invariant.rawValue)"] + steps + [end]).joined(separator: "\n")
    }
}
