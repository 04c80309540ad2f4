/// One value for `$n`, with the type it is declared as.
///
/// Numbers, booleans, text, bytes and arrays travel in PostgreSQL's binary form: fixed widths need no parsing,
/// bytes are not doubled by hexadecimal digits, and array elements need no escaping, which is where a text form
/// goes wrong. JSON, UUID and times travel as text, which the server checks.
package struct Parameter: Sendable {
    /// The type's OID in `pg_type`; 0 lets the server take the one that the statement asks for.
    let type: UInt32
    /// Whether ``bytes`` are in the binary form.
    let isBinary: Bool
    /// The value, or nil for NULL.
    let bytes: [UInt8]?
    /// Whether it is text with a NUL character, which PostgreSQL cannot hold.
    let holdsNUL: Bool

    init(type: UInt32, isBinary: Bool = true, bytes: [UInt8]?, holdsNUL: Bool = false) {
        self.type = type
        self.isBinary = isBinary
        self.bytes = bytes
        self.holdsNUL = holdsNUL
    }

    /// A `bigint`.
    package static func bigint(_ value: Int64?) -> Parameter {
        Parameter(type: TypeOID.bigint, bytes: value.map(bigEndian))
    }

    /// An `integer`; a value outside its range is refused when the statement is run.
    package static func integer(_ value: Int?) -> Parameter {
        guard let value else { return Parameter(type: TypeOID.integer, bytes: nil) }
        guard let narrow = Int32(exactly: value) else {
            // As text, so that the server refuses it (22003) instead of a trap here.
            return Parameter(type: TypeOID.integer, isBinary: false, bytes: Array(String(value).utf8))
        }
        return Parameter(type: TypeOID.integer, bytes: bigEndian(narrow))
    }

    /// A `smallint`; a value outside its range is refused when the statement is run.
    package static func smallint(_ value: Int?) -> Parameter {
        guard let value else { return Parameter(type: TypeOID.smallint, bytes: nil) }
        guard let narrow = Int16(exactly: value) else {
            return Parameter(type: TypeOID.smallint, isBinary: false, bytes: Array(String(value).utf8))
        }
        return Parameter(type: TypeOID.smallint, bytes: bigEndian(narrow))
    }

    /// A `boolean`.
    package static func boolean(_ value: Bool?) -> Parameter {
        Parameter(type: TypeOID.boolean, bytes: value.map { [$0 ? 1 : 0] })
    }

    /// A `text`; with a NUL character it is refused before anything is sent.
    package static func text(_ value: String?) -> Parameter {
        let bytes = value.map { Array($0.utf8) }
        return Parameter(type: TypeOID.text, bytes: bytes, holdsNUL: bytes?.contains(0) ?? false)
    }

    /// A `bytea`.
    package static func bytea(_ value: [UInt8]?) -> Parameter {
        Parameter(type: TypeOID.bytea, bytes: value)
    }

    /// A `double precision`.
    package static func double(_ value: Double?) -> Parameter {
        Parameter(type: TypeOID.double, bytes: value.map { bigEndian($0.bitPattern) })
    }

    /// A `uuid` in its text form.
    package static func uuid(_ value: String?) -> Parameter {
        asText(TypeOID.uuid, value.map { Array($0.utf8) })
    }

    /// A JSON text for a `json` or `jsonb` parameter, whichever the statement asks for; the bytes go as they are.
    package static func json(_ value: [UInt8]?) -> Parameter {
        asText(0, value)
    }

    /// A `timestamptz` in a text form that PostgreSQL reads, such as ISO 8601.
    package static func timestamptzText(_ value: String?) -> Parameter {
        asText(TypeOID.timestamptz, value.map { Array($0.utf8) })
    }

    /// A `bigint[]`.
    package static func bigints(_ values: [Int64?]) -> Parameter {
        array(of: TypeOID.bigint, TypeOID.bigintArray, values, size: { _ in 8 }, append: appendBigEndian)
    }

    /// An `integer[]`; values outside the range are refused when the statement is run.
    package static func integers(_ values: [Int?]) -> Parameter {
        guard values.allSatisfy({ $0.map { Int32(exactly: $0) != nil } ?? true }) else {
            let list = values.map { $0.map { String($0) } ?? "NULL" }.joined(separator: ",")
            return Parameter(type: TypeOID.integerArray, isBinary: false, bytes: Array("{\(list)}".utf8))
        }
        return array(of: TypeOID.integer, TypeOID.integerArray, values, size: { _ in 4 }) {
            appendBigEndian(Int32(truncatingIfNeeded: $0), to: &$1)
        }
    }

    /// A `text[]`; with a NUL character in any element it is refused before anything is sent.
    package static func texts(_ values: [String?]) -> Parameter {
        array(
            of: TypeOID.text, TypeOID.textArray, values, size: { $0.utf8.count },
            append: { $1.append(contentsOf: $0.utf8) },
            holdsNUL: values.contains { $0.map(holdsNUL) ?? false })
    }

    /// A `boolean[]`.
    package static func booleans(_ values: [Bool?]) -> Parameter {
        array(of: TypeOID.boolean, TypeOID.booleanArray, values, size: { _ in 1 }, append: { $1.append($0 ? 1 : 0) })
    }

    /// A `bytea[]`.
    package static func byteas(_ values: [[UInt8]?]) -> Parameter {
        array(of: TypeOID.bytea, TypeOID.byteaArray, values, size: \.count, append: { $1 += $0 })
    }

    /// A `double precision[]`.
    package static func doubles(_ values: [Double?]) -> Parameter {
        array(of: TypeOID.double, TypeOID.doubleArray, values, size: { _ in 8 }) {
            appendBigEndian($0.bitPattern, to: &$1)
        }
    }

    /// A `uuid[]` of text forms, which the server checks.
    package static func uuids(_ values: [String?]) -> Parameter {
        let elements = values.map { value in
            guard let value else { return "NULL" }
            let escaped = value.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
            return "\"\(escaped)\""
        }
        return asText(TypeOID.uuidArray, Array("{\(elements.joined(separator: ","))}".utf8))
    }

    private static func asText(_ type: UInt32, _ bytes: [UInt8]?) -> Parameter {
        Parameter(type: type, isBinary: false, bytes: bytes, holdsNUL: bytes?.contains(0) ?? false)
    }

    /// The binary form of an array of one dimension: dimensions, whether NULLs occur, the elements' type, length,
    /// lower bound, then each element after its length, -1 for NULL (`array_recv` in PostgreSQL's sources).
    ///
    /// Elements are appended in place: a batch has thousands of them.
    private static func array<Element>(
        of element: UInt32, _ type: UInt32, _ values: [Element?], size: (Element) -> Int,
        append: (Element, inout [UInt8]) -> Void, holdsNUL: Bool = false
    ) -> Parameter {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + values.reduce(0) { $0 + 4 + ($1.map(size) ?? 0) })
        appendBigEndian(Int32(values.isEmpty ? 0 : 1), to: &bytes)
        appendBigEndian(Int32(values.contains { $0 == nil } ? 1 : 0), to: &bytes)
        appendBigEndian(element, to: &bytes)
        if !values.isEmpty {
            appendBigEndian(Int32(values.count), to: &bytes)
            appendBigEndian(Int32(1), to: &bytes)
        }
        for value in values {
            guard let value else {
                appendBigEndian(Int32(-1), to: &bytes)
                continue
            }
            appendBigEndian(Int32(size(value)), to: &bytes)
            append(value, &bytes)
        }
        return Parameter(type: type, bytes: bytes, holdsNUL: holdsNUL)
    }

    /// Whether a text holds what PostgreSQL's cannot; over its bytes as they lie, many at a time.
    private static func holdsNUL(_ text: String) -> Bool {
        unsafe text.utf8.withContiguousStorageIfAvailable { unsafe $0.contains(0) } ?? text.utf8.contains(0)
    }

    private static func appendBigEndian<I: FixedWidthInteger>(_ value: I, to bytes: inout [UInt8]) {
        for shift in stride(from: I.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    private static func bigEndian<I: FixedWidthInteger>(_ value: I) -> [UInt8] {
        (0..<I.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
}

extension Parameter: CustomStringConvertible {
    /// The type alone: a parameter's value is never printed.
    package var description: String { "parameter of type \(type)" }
}
