import Contracts
import FoundationEssentials
import Kinds

/// Whether what a provider says of a record agrees with what was sent.
///
/// Spelling may differ: letter case, space, the form of accents, telephone numbers and dates. Ids have one spelling. What
/// is empty or masked says nothing. Names of fields come out of here, values never.
enum Agreement {
    /// A longer text is a document, and has one spelling.
    private static let longest = 512
    /// A longer list is compared in its order.
    private static let widest = 64

    /// The fields in which `record` contradicts `payload`, among those that both have, by their paths.
    static func contradictions(of record: JSONValue, with context: CallContext) -> [String] {
        let aliases = context.definition.aliases
        let sent = context.payload.excerpt(like: record, also: aliases)
        return contradictions(record, sent, aliases, path: "", isInList: false).sorted()
    }

    private static func contradictions(
        _ record: JSONValue, _ payload: JSONValue, _ aliases: [String: String], path: String, isInList: Bool
    ) -> [String] {
        if record == payload { return [] }
        switch (record, payload) {
        case (.null, _), (_, .null): return []
        case (.object(let said), .object(let sent)):
            return sent.flatMap { key, value in
                guard let other = said[key] ?? aliases[key].flatMap({ said[$0] }) else { return [String]() }
                let path = path.isEmpty ? name(key) : "\(path).\(name(key))"
                return contradictions(other, value, aliases, path: path, isInList: isInList)
            }
        case (.array(let said), .array(let sent)): return agree(said, sent, aliases, path, isInList) ? [] : [path]
        // Some languages write both as an empty list.
        case (.array([]), .object([:])), (.object([:]), .array([])): return []
        case (.array, _), (.object, _), (_, .array), (_, .object): return [path]
        default:
            guard let said = text(record), let sent = text(payload) else { return [] }
            if isSameNumber(record, payload) || path.contains("phone") && isSamePhone(said, sent) { return [] }
            return agree(said, sent, isID: isID(path)) == false ? [path] : []
        }
    }

    /// Whether each that was sent has its own counterpart. The order is nobody's promise; in a list within a list it
    /// counts, since to compare each with each would cost too much there.
    private static func agree(
        _ said: [JSONValue], _ sent: [JSONValue], _ aliases: [String: String], _ path: String, _ isInList: Bool
    ) -> Bool {
        guard said.count == sent.count else { return false }
        func agrees(_ one: JSONValue, _ other: JSONValue) -> Bool {
            contradictions(one, other, aliases, path: path, isInList: true).isEmpty
        }
        if isInList || sent.count > widest { return zip(said, sent).allSatisfy(agrees) }
        var rest = said
        for one in sent {
            guard let index = rest.firstIndex(of: one) ?? rest.firstIndex(where: { agrees($0, one) }) else {
                return false
            }
            rest.remove(at: index)
        }
        return true
    }

    /// Whether two texts say the same; nil where one of them says nothing.
    static func agree(_ said: String, _ sent: String, isID: Bool = false) -> Bool? {
        if said == sent { return said.isEmpty ? nil : true }
        let isDocument = max(said.utf8.count, sent.utf8.count) > longest
        let (one, other) = isDocument || isID ? (said, sent) : (normalized(said), normalized(sent))
        if one.isEmpty || other.isEmpty { return nil }
        if one == other || isSameUUID(one, other) { return true }
        if isMasked(one, other) { return nil }
        return !isDocument && !isID && isSameDate(one, other)
    }

    /// Whether a field of this path holds an id.
    static func isID(_ path: String) -> Bool { path == "id" || path.hasSuffix("_id") || path.hasSuffix(".id") }

    /// A UUID is a number, whatever the case of its digits.
    private static func isSameUUID(_ said: String, _ sent: String) -> Bool {
        guard said.utf8.count == 36, let one = UUID(uuidString: said) else { return false }
        return one == UUID(uuidString: sent)
    }

    /// Whether `said` may be `sent` with characters hidden by the provider, or lost on the way: all of them, each where it
    /// stands, or one long run for any number of them.
    private static func isMasked(_ said: String, _ sent: String) -> Bool {
        let (one, other) = (Array(said), Array(sent))
        guard let first = one.firstIndex(where: isMask), let last = one.lastIndex(where: isMask) else { return false }
        if one.allSatisfy({ isMask($0) || $0.isWhitespace }) { return true }
        if one.count == other.count { return zip(one, other).allSatisfy { isMask($0) || $0 == $1 } }
        let isRun = last - first >= 2 && one[first...last].allSatisfy { isMask($0) && $0 != "\u{FFFD}" }
        return isRun && other.count > one.count - (last - first + 1) && other.starts(with: one[..<first])
            && other.reversed().starts(with: one[(last + 1)...].reversed())
    }

    private static func isMask(_ character: Character) -> Bool { "*•\u{FFFD}".contains(character) }

    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text), .number(let text): text
        case .bool(let flag): flag ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    /// Swift compares text by canonical equivalence: composed and decomposed accents are the same.
    private static func normalized(_ text: String) -> String {
        text.lowercased().split(whereSeparator: { $0.isWhitespace || $0 == "\0" }).joined(separator: " ")
    }

    /// Whether a number is the same, written otherwise. Two strings of digits are no numbers.
    private static func isSameNumber(_ said: JSONValue, _ sent: JSONValue) -> Bool {
        guard let text = text(said), let other = Self.text(sent), max(text.count, other.count) <= 15 else {
            return false
        }
        if case (.string, .string) = (said, sent) { return false }
        return Double(text) != nil && Double(text) == Double(other)
    }

    /// `+49 170 123456-7`, `0049 1701234567` and `01701234567` are one.
    private static func isSamePhone(_ said: String, _ sent: String) -> Bool {
        guard isPhone(said), isPhone(sent) else { return false }
        let said = said.filter(\.isNumber).drop { $0 == "0" }
        let sent = sent.filter(\.isNumber).drop { $0 == "0" }
        return min(said.count, sent.count) >= 6 && (said.hasSuffix(sent) || sent.hasSuffix(said))
    }

    private static func isPhone(_ text: String) -> Bool {
        text.allSatisfy { $0.isASCII && ($0.isNumber || " +-()./".contains($0)) }
    }

    /// A day with and without a time, or one moment in two zones; both texts are nothing else.
    private static func isSameDate(_ said: String, _ sent: String) -> Bool {
        guard let day = Self.day(of: said), let otherDay = Self.day(of: sent) else { return false }
        if said.count == 10 || sent.count == 10 { return day == otherDay }
        guard let one = moment(said), let other = moment(sent) else { return false }
        return one == other
    }

    private static func day(of text: String) -> Substring? {
        let day = text.prefix(10)
        let groups = day.split(separator: "-", omittingEmptySubsequences: false)
        let isDay = groups.map(\.count) == [4, 2, 2] && groups.allSatisfy { $0.allSatisfy(\.isNumber) }
        let time = text.dropFirst(10)
        let isTime = time.isEmpty || "t ".contains(text[time.startIndex]) && time.count >= 6
        return isDay && isTime && time.dropFirst().allSatisfy { $0.isNumber || ":.+-z".contains($0) } ? day : nil
    }

    /// A moment in one of the two forms of RFC 3339; nil for anything else.
    static func moment(_ text: String) -> Date? {
        let text = text.uppercased()
        return (try? Date(text, strategy: Date.ISO8601FormatStyle()))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    }

    /// A field's name as it may be shown: a payload can have anything for a key.
    private static func name(_ key: String) -> String {
        let isName = key.utf8.count <= 40 && key.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        return isName ? key : "…"
    }
}
