/// What a look-up brings. It asks and hears in one step: only the moment of asking matters.
enum LookUpAnswer: String, Hashable, CaseIterable {
    case found
    case notFound = "nothing found"
    case refused = "the look-up is refused"
    case turnedAway = "429, 401 or 403"
    case unavailable = "no answer, or none that can be read"
    case puzzling = "a record that may be another's, or once more nothing that can be read"
}
