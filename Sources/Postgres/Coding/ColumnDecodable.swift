/// A type that a column can be read as.
package protocol ColumnDecodable: Sendable {
    /// The value for NULL, if the type has one.
    static var null: Self? { get }
    /// Reads PostgreSQL's text form of a column of this type (its OID); nil if it is not one.
    init?(text: ArraySlice<UInt8>, type: UInt32)
}

extension ColumnDecodable {
    /// Most types have none.
    package static var null: Self? { nil }
}

extension Int64: ColumnDecodable {
    /// Reads a whole number.
    package init?(text: ArraySlice<UInt8>, type: UInt32) {
        guard let value = Int(text: text, type: type) else { return nil }
        self.init(value)
    }
}

extension Int: ColumnDecodable {
    /// Reads a whole number, straight from the digits: no string is made.
    package init?(text: ArraySlice<UInt8>, type: UInt32) {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = isNegative ? text.dropFirst() : text
        guard !digits.isEmpty else { return nil }
        var value = 0
        for byte in digits {
            guard byte >= 48, byte <= 57 else { return nil }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            // Counted downwards when negative, since the smallest number has no positive twin.
            let digit = isNegative ? -Int(byte - 48) : Int(byte - 48)
            let (sum, stillTooLarge) = product.addingReportingOverflow(digit)
            guard !tooLarge, !stillTooLarge else { return nil }
            value = sum
        }
        self = value
    }
}

extension String: ColumnDecodable {
    /// Takes the text form of any type.
    package init?(text: ArraySlice<UInt8>, type: UInt32) {
        self.init(decoding: text, as: UTF8.self)
    }
}

extension Bool: ColumnDecodable {
    /// Reads `t` and `f`.
    package init?(text: ArraySlice<UInt8>, type: UInt32) {
        guard type == TypeOID.boolean, let byte = text.first else { return nil }
        self = byte == UInt8(ascii: "t")
    }
}

extension Double: ColumnDecodable {
    /// Reads any number, `NaN` and `Infinity`.
    package init?(text: ArraySlice<UInt8>, type: UInt32) {
        self.init(String(decoding: text, as: UTF8.self))
    }
}

extension Array: ColumnDecodable where Element == UInt8 {
    /// Reads a `bytea` from its hexadecimal form; of any other type, takes the bytes of the text form.
    package init?(text: ArraySlice<UInt8>, type: UInt32) {
        guard type == TypeOID.bytea else {
            self.init(text)
            return
        }
        guard text.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "x")]), text.count % 2 == 0 else { return nil }
        self.init()
        reserveCapacity(text.count / 2 - 1)
        var index = text.startIndex + 2
        while index < text.endIndex {
            guard let high = Self.digit(text[index]), let low = Self.digit(text[index + 1]) else { return nil }
            append(high << 4 | low)
            index += 2
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 97...102: byte - 87
        case 65...70: byte - 55
        default: nil
        }
    }
}

extension Optional: ColumnDecodable where Wrapped: ColumnDecodable {
    /// NULL is nil.
    package static var null: Wrapped?? { .some(nil) }

    /// Reads what it wraps.
    package init?(text: ArraySlice<UInt8>, type: UInt32) {
        guard let value = Wrapped(text: text, type: type) else { return nil }
        self = .some(value)
    }
}
