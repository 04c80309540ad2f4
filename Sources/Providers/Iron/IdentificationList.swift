import Contracts
import FoundationEssentials
import JobModel

/// A customer's identifications, and which of them is this job's (`providers.md`, section 2.6).
struct IdentificationList {
    private let items: [JSONValue]?
    private let isWhole: Bool
    private let context: CallContext

    init(_ body: JSONValue, _ context: CallContext) {
        items = body["items"]?.array
        isWhole = (body["cursor"]?.string ?? "").isEmpty && Absence.isWell(body, place: "items")
        self.context = context
    }

    /// What is over does not count as open.
    private static let closed: Set<String> = ["Declined", "Expired", "Archived"]
    /// How much the provider's clock and ours may differ.
    private static let clockMargin: TimeInterval = 600

    func finding() -> Finding {
        guard let items else { return .unreadable }
        let candidates = items.filter { item in
            !Self.closed.contains(item["status"]?.string ?? "")
                && (item["customer_id"]?.string ?? context.customerID) == context.customerID
        }
        // The order of the list is not documented.
        let newestFirst = candidates.sorted { created($0) ?? .distantPast > created($1) ?? .distantPast }
        guard let chosen = newestFirst.first(where: isOurs) else { return isWhole ? .absent : .unreadable }
        return Finding(RecordReader(), in: chosen, for: context)
    }

    /// After a conflict, the one that is open is what the job is for, whoever made it; else only what this job's
    /// requests may have made.
    private func isOurs(_ item: JSONValue) -> Bool {
        if context.claim.lastCreateStatus == 409 { return item["status"]?.string != "Approved" }
        guard let age = context.claim.firstSentAge, let created = created(item) else { return true }
        let firstSent = context.now.addingTimeInterval(-Double(age.components.seconds))
        return created >= firstSent.addingTimeInterval(-Self.clockMargin)
    }

    private func created(_ item: JSONValue) -> Date? {
        item["created_at"]?.string.flatMap(Agreement.moment)
    }
}
