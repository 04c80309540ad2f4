import Contracts
import FoundationEssentials

/// Whether what a provider says of a record agrees with what was sent.
///
/// Spelling may differ: letter case, space, the form of accents, telephone numbers and dates. What is empty, masked or
/// garbled says nothing. Names of fields come out of here, values never.
enum Agreement {
    /// Documents in a payload are not compared.
    private static let longest = 512
    private static let widest = 64
    /// Juicyway's pages know it under both names (`providers.md` 5.2).
    private static let otherNames = ["phone": "phone_number"]

    /// The fields in which `record` contradicts `payload`, among those that both have, by their paths.
    static func contradictions(of record: JSONValue, with payload: JSONView) -> [String] {
        let sent = payload.excerpt(like: record, also: otherNames, longest: longest, widest: widest)
        return contradictions(record, sent, path: "", isInList: false).sorted()
    }

    private static func contradictions(
        _ record: JSONValue, _ payload: JSONValue, path: String, isInList: Bool
    ) -> [String] {
        switch (record, payload) {
        case (.object(let said), .object(let sent)):
            return sent.flatMap { key, value in
                guard let other = said[key] ?? otherNames[key].flatMap({ said[$0] }) else { return [String]() }
                let path = path.isEmpty ? name(key) : "\(path).\(name(key))"
                return contradictions(other, value, path: path, isInList: isInList)
            }
        case (.array(let said), .array(let sent)):
            // The order is nobody's promise: each is compared with each, and lists in lists would cost too much.
            guard said.count == sent.count, sent.count <= widest, !isInList else { return [] }
            let agrees = sent.allSatisfy { one in
                said.contains { contradictions($0, one, path: path, isInList: true).isEmpty }
            }
            return agrees ? [] : [path]
        default:
            guard let said = text(record), let sent = text(payload) else { return [] }
            if isSameNumber(record, payload) || path.contains("phone") && isSamePhone(said, sent) { return [] }
            return agree(said, sent) == false ? [path] : []
        }
    }

    /// Whether two texts say the same; nil where one of them says nothing.
    static func agree(_ said: String, _ sent: String) -> Bool? {
        guard max(said.utf8.count, sent.utf8.count) <= longest else { return nil }
        let said = normalized(said)
        let sent = normalized(sent)
        if said.isEmpty || sent.isEmpty { return nil }
        if said == sent { return true }
        // Masked by the provider, or bytes that were no text.
        if said.contains(where: { "*•\u{FFFD}".contains($0) }) { return nil }
        return isSameDate(said, sent)
    }

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

    /// A day with and without a time, or one moment in two zones.
    private static func isSameDate(_ said: String, _ sent: String) -> Bool {
        guard let day = Self.day(of: said), let otherDay = Self.day(of: sent) else { return false }
        if said.count == 10 || sent.count == 10 { return day == otherDay }
        guard let one = moment(said), let other = moment(sent) else { return false }
        return one == other
    }

    private static func day(of text: String) -> Substring? {
        let day = text.prefix(10)
        let groups = day.split(separator: "-", omittingEmptySubsequences: false)
        return groups.map(\.count) == [4, 2, 2] && groups.allSatisfy { $0.allSatisfy(\.isNumber) } ? day : nil
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
