package import Contracts

/// How a list that comes in pages is put together.
package struct Pages: Sendable {
    /// A list is followed so far; one that goes on is not whole, and proves no absence.
    package static let limit = 20

    /// The member with the records.
    package let list: String
    /// Where the cursor of the next page stands.
    package let cursor: [String]
    /// The parameter of the query that takes it.
    package let parameter: String

    /// Takes all three.
    package init(list: String, cursor: [String], parameter: String) {
        self.list = list
        self.cursor = cursor
        self.parameter = parameter
    }

    /// The path of the page after `body`; nil when that was the last one.
    package func next(after body: JSONValue, of path: String) -> String? {
        guard body[list]?.array?.isEmpty == false, let cursor = value(in: body), let text = PathTemplate.encoded(cursor)
        else { return nil }
        return path + (path.contains("?") ? "&" : "?") + "\(parameter)=\(text)"
    }

    /// Whether `body` says that more follows.
    package func goesOn(_ body: JSONValue) -> Bool { value(in: body) != nil && body[list]?.array?.isEmpty == false }

    /// The pages so far and the next one as one page, with the last one's cursor.
    package func joined(_ earlier: JSONValue?, _ page: JSONValue) -> JSONValue {
        guard let records = earlier?[list]?.array, let more = page[list]?.array, var members = page.object else {
            return page
        }
        members[list] = .array(records + more)
        // A cursor after nothing leads nowhere.
        if more.isEmpty { members[cursor[0]] = .null }
        return .object(members)
    }

    private func value(in body: JSONValue) -> String? {
        guard let text = cursor.reduce(Optional(body), { $0?[$1] })?.string, !text.isEmpty else { return nil }
        return text
    }
}
