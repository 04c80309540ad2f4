import Contracts
import FoundationEssentials
import JobModel
import Kinds

/// The records of one parent, and which of them is this job's.
struct SiblingList {
    /// How much the provider's clock and ours may differ.
    private static let clockMargin: TimeInterval = 600

    private let siblings: LookUp.Siblings
    private let items: [JSONValue]?
    private let isWhole: Bool
    private let context: CallContext

    init(_ siblings: LookUp.Siblings, _ body: JSONValue, _ pages: Pages, _ context: CallContext) {
        self.siblings = siblings
        items = body[pages.list]?.array
        let cursor = pages.cursor.reduce(Optional(body)) { $0?[$1] }?.string ?? ""
        isWhole = cursor.isEmpty && Absence.isWell(body, for: context)
        self.context = context
    }

    func finding() -> Finding {
        guard let items else { return .unreadable }
        let candidates = items.filter { item in
            // What is over does not count as open.
            !siblings.closed.contains(item["status"]?.string ?? "")
                && (item[siblings.parent]?.string ?? context.parentID) == context.parentID
        }
        let newestFirst = candidates.sorted { created($0) ?? .distantPast > created($1) ?? .distantPast }
        guard let chosen = newestFirst.first(where: isOurs) else { return isWhole ? .absent : .unreadable }
        return Finding(chosen, context)
    }

    /// After a conflict, the one that is open is what the job is for, whoever made it; else only what this job's
    /// requests may have made.
    private func isOurs(_ item: JSONValue) -> Bool {
        if context.claim.lastCreateStatus == 409 { return !siblings.decided.contains(item["status"]?.string ?? "") }
        guard let age = context.claim.firstSentAge, let created = created(item) else { return true }
        let firstSent = context.now.addingTimeInterval(-Double(age.components.seconds))
        return created >= firstSent.addingTimeInterval(-Self.clockMargin)
    }

    private func created(_ item: JSONValue) -> Date? {
        item[siblings.createdAt]?.string.flatMap(Agreement.moment)
    }
}
