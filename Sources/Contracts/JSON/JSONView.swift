/// A JSON document that stays in its bytes; each look reads them again.
///
/// A tree of a payload with many small values would take ten times as much memory as the payload.
package struct JSONView: Sendable {
    /// The types of JSON values.
    package enum Kind: Sendable { case null, bool, number, string, array, object }

    private let bytes: [UInt8]
    /// Where long strings end, so that no look but the first goes through them.
    private let ends: [Int: Int]
    /// Where the value begins. All that a parser can throw was found when the document was first read.
    private let start: Int

    private init(_ bytes: [UInt8], _ ends: [Int: Int], at start: Int) {
        self.bytes = bytes
        self.ends = ends
        self.start = start
    }

    /// Reads one document (RFC 8259), strictly, nested at most 128 deep; of equal keys the last counts.
    ///
    /// - Throws: `JSONError` with the offset of the first byte that does not fit.
    package init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes: bytes, isScanning: true)
        _ = try parser.document()
        parser.position = 0
        parser.skipSpace()
        self.init(bytes, parser.ends, at: parser.position)
    }

    /// The type of the value.
    package var kind: Kind {
        switch bytes[start] {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
        case UInt8(ascii: "n"): .null
        default: .number
        }
    }

    private var parser: JSONParser { JSONParser(bytes: bytes, ends: ends, at: start) }

    /// The value as a tree.
    package var value: JSONValue {
        var parser = parser
        // Read before: it cannot fail.
        return (try? parser.value()) ?? .null
    }

    /// The text of a string; nil for anything else.
    package var string: String? { kind == .string ? value.string : nil }

    /// The member `key` of an object; nil for anything else.
    package subscript(key: String) -> JSONView? {
        var member: JSONView?
        forEachMember { if $0 == key { member = $1 } }
        return member
    }

    /// The members of an object in the order of the document; none for anything else.
    package func forEachMember(_ body: (_ key: String, _ value: JSONView) -> Void) {
        guard kind == .object else { return }
        var parser = parser
        // Read before: it cannot fail.
        try? parser.eachMember { parser, key throws(JSONError) in
            body(key, JSONView(bytes, ends, at: parser.position))
            try parser.skip()
        }
    }

    /// The elements of an array; none for anything else.
    package func forEachElement(_ body: (JSONView) -> Void) {
        guard kind == .array else { return }
        var parser = parser
        // Read before: it cannot fail.
        try? parser.eachElement { parser throws(JSONError) in
            body(JSONView(bytes, ends, at: parser.position))
            try parser.skip()
        }
    }

    /// Every string in the document, keys not included.
    package func forEachString(_ body: (String) -> Void) {
        switch kind {
        case .null, .bool, .number: break
        case .string: string.map(body)
        case .array: forEachElement { $0.forEachString(body) }
        case .object: forEachMember { $1.forEachString(body) }
        }
    }

    /// As a tree, only what can be compared with `record`: of objects the members that it has too, or that `also` knows
    /// under another name, and of lists of another length no more than that.
    package func excerpt(like record: JSONValue, also other: [String: String]) -> JSONValue {
        switch (kind, record) {
        case (_, .null): return .null
        case (.object, .object(let said)):
            var members: [String: JSONValue] = [:]
            forEachMember { key, value in
                guard let record = said[key] ?? other[key].flatMap({ said[$0] }) else { return }
                members[key] = value.excerpt(like: record, also: other)
            }
            return .object(members)
        case (.array, .array(let said)):
            var count = 0
            forEachElement { _ in count += 1 }
            return count == said.count ? value : .array(Array(repeating: .null, count: min(count, said.count + 1)))
        default: return value
        }
    }
}

extension JSONParser {
    /// Passes over one value.
    fileprivate mutating func skip() throws(JSONError) {
        isScanning = true
        _ = try value()
        isScanning = false
    }
}
