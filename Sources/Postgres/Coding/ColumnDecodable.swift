/// Why a column cannot be read as what was asked for.
package enum ColumnFault: Error {
    /// It is NULL, and the type has no value for that.
    case isNull
    /// It does not hold this type.
    case isAnother
}

/// A type that a column can be read as.
package protocol ColumnDecodable: Sendable {
    /// Reads PostgreSQL's text form of a column of this type (its OID); nil stands for NULL.
    ///
    /// It throws rather than returns an optional: the type of a generic optional is looked up at run time, for each cell.
    init(_ text: ArraySlice<UInt8>?, type: UInt32) throws(ColumnFault)
}

extension Int64: ColumnDecodable {
    /// Reads a whole number.
    package init(_ text: ArraySlice<UInt8>?, type: UInt32) throws(ColumnFault) {
        self.init(try Int(text, type: type))
    }
}

extension Int: ColumnDecodable {
    /// Reads a whole number, straight from the digits: no string is made.
    package init(_ text: ArraySlice<UInt8>?, type: UInt32) throws(ColumnFault) {
        guard let text else { throw .isNull }
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = isNegative ? text.dropFirst() : text
        guard !digits.isEmpty else { throw .isAnother }
        var value = 0
        for byte in digits {
            guard byte >= 48, byte <= 57 else { throw .isAnother }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            // Counted downwards when negative, since the smallest number has no positive twin.
            let digit = isNegative ? -Int(byte - 48) : Int(byte - 48)
            let (sum, stillTooLarge) = product.addingReportingOverflow(digit)
            guard !tooLarge, !stillTooLarge else { throw .isAnother }
            value = sum
        }
        self = value
    }
}

extension String: ColumnDecodable {
    /// Takes the text form of any type.
    package init(_ text: ArraySlice<UInt8>?, type: UInt32) throws(ColumnFault) {
        guard let text else { throw .isNull }
        self.init(decoding: text, as: UTF8.self)
    }
}

extension Bool: ColumnDecodable {
    /// Reads `t` and `f`.
    package init(_ text: ArraySlice<UInt8>?, type: UInt32) throws(ColumnFault) {
        guard let text else { throw .isNull }
        guard type == TypeOID.boolean, let byte = text.first else { throw .isAnother }
        self = byte == UInt8(ascii: "t")
    }
}

extension Double: ColumnDecodable {
    /// Reads any number, `NaN` and `Infinity`.
    package init(_ text: ArraySlice<UInt8>?, type: UInt32) throws(ColumnFault) {
        guard let text else { throw .isNull }
        guard let value = Double(String(decoding: text, as: UTF8.self)) else { throw .isAnother }
        self = value
    }
}

extension Array: ColumnDecodable where Element == UInt8 {
    /// Reads a `bytea` from its hexadecimal form; of any other type, takes the bytes of the text form.
    package init(_ text: ArraySlice<UInt8>?, type: UInt32) throws(ColumnFault) {
        guard let text else { throw .isNull }
        guard type == TypeOID.bytea else {
            self.init(text)
            return
        }
        guard text.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "x")]), text.count % 2 == 0 else {
            throw .isAnother
        }
        self.init()
        reserveCapacity(text.count / 2 - 1)
        var index = text.startIndex + 2
        while index < text.endIndex {
            guard let high = Self.digit(text[index]), let low = Self.digit(text[index + 1]) else { throw .isAnother }
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
    /// Reads what it wraps; NULL is nil.
    package init(_ text: ArraySlice<UInt8>?, type: UInt32) throws(ColumnFault) {
        self = text == nil ? nil : .some(try Wrapped(text, type: type))
    }
}
