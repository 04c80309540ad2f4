extension JSONValue {
    /// Reads one document (RFC 8259), strictly, nested at most 128 deep.
    ///
    /// - Throws: `JSONError` with the offset of the first byte that does not fit.
    package init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }

    /// Reads one document that somebody else wrote, as far as its meaning is clear.
    ///
    /// Control characters may stand in strings, and half a surrogate pair becomes U+FFFD. A key that comes twice with
    /// different values has no meaning: nobody knows which one counts.
    ///
    /// - Throws: `JSONError` as above.
    package init(readingTolerantly text: String) throws(JSONError) {
        var parser = JSONParser(bytes: Array(text.utf8), isTolerant: true)
        self = try parser.document()
    }
}

/// Reads JSON from UTF-8 bytes, one pass, no look-back.
struct JSONParser {
    static let maximumDepth = 128

    let bytes: [UInt8]
    let isTolerant: Bool
    /// Whether values are checked and passed over, so that none is kept.
    var isScanning: Bool
    var position: Int
    /// Where strings of at least `longString` bytes that were passed over end, by where they begin.
    private(set) var ends: [Int: Int]
    private static let longString = 1024

    init(
        bytes: [UInt8], isTolerant: Bool = false, isScanning: Bool = false, ends: [Int: Int] = [:], at position: Int = 0
    ) {
        self.ends = ends
        self.bytes = bytes
        self.isTolerant = isTolerant
        self.isScanning = isScanning
        self.position = position
    }

    mutating func document() throws(JSONError) -> JSONValue {
        if isScanning { try checkText() }
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw error("nothing may follow the document") }
        return value
    }

    mutating func value(depth: Int = 0) throws(JSONError) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw error("nested deeper than \(Self.maximumDepth)") }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        var members: [String: JSONValue] = [:]
        try eachMember { parser, key throws(JSONError) in
            let value = try parser.value(depth: depth + 1)
            guard !parser.isScanning else { return }
            if parser.isTolerant, let earlier = members[key], earlier != value {
                throw parser.error("a key has two values")
            }
            members[key] = value
        }
        return .object(members)
    }

    /// Reads an object; the body reads the value of each member.
    mutating func eachMember(
        _ body: (inout JSONParser, String) throws(JSONError) -> Void
    ) throws(JSONError) {
        position += 1
        skipSpace()
        if take("}") { return }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw error("a key in double quotes is expected") }
            let key = try string()
            skipSpace()
            guard take(":") else { throw error("a colon is expected") }
            skipSpace()
            try body(&self, key)
            skipSpace()
            if take("}") { return }
            guard take(",") else { throw error("a comma or } is expected") }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        try eachElement { parser throws(JSONError) in
            let value = try parser.value(depth: depth + 1)
            if !parser.isScanning { elements.append(value) }
        }
        return .array(elements)
    }

    /// Reads an array; the body reads each element.
    mutating func eachElement(_ body: (inout JSONParser) throws(JSONError) -> Void) throws(JSONError) {
        position += 1
        skipSpace()
        if take("]") { return }
        while true {
            skipSpace()
            try body(&self)
            skipSpace()
            if take("]") { return }
            guard take(",") else { throw error("a comma or ] is expected") }
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for character in word.description.utf8 {
            guard peek == character else { throw error("a value is expected") }
            position += 1
        }
        return value
    }

    // MARK: - Strings

    private mutating func string() throws(JSONError) -> String {
        if isScanning, let end = ends[position] {
            position = end
            return ""
        }
        let opening = position
        defer { if isScanning, position - opening >= Self.longString { ends[opening] = position } }
        position += 1
        let start = position
        // Nearly all strings have no escapes: these are taken in one piece.
        while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        if take("\"") { return isScanning ? "" : try text(bytes[start..<(position - 1)], at: start) }
        var unescaped = isScanning ? [] : Array(bytes[start..<position])
        while true {
            guard let byte = peek else { throw error("the string does not end") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return isScanning ? "" : try text(unescaped[...], at: start)
            case UInt8(ascii: "\\"):
                try escape(into: &unescaped)
                if isScanning { unescaped.removeAll(keepingCapacity: true) }
            case ..<0x20 where !isTolerant:
                position -= 1
                throw error("a control character must be escaped")
            default: if !isScanning { unescaped.append(byte) }
            }
        }
    }

    /// Strings that are passed over are not looked at one by one.
    private func checkText() throws(JSONError) {
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw JSONError(problem: "a string is not UTF-8", offset: error.byteOffsets.lowerBound)
        }
    }

    private func text(_ slice: ArraySlice<UInt8>, at start: Int) throws(JSONError) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw JSONError(problem: "a string is not UTF-8", offset: start)
        }
        return text
    }

    private mutating func escape(into unescaped: inout [UInt8]) throws(JSONError) {
        guard let byte = peek else { throw error("the string does not end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0C)
        case UInt8(ascii: "n"): unescaped.append(0x0A)
        case UInt8(ascii: "r"): unescaped.append(0x0D)
        case UInt8(ascii: "t"): unescaped.append(0x09)
        case UInt8(ascii: "u"): unescaped.append(contentsOf: UTF8.encode(try unicodeEscape()) ?? .init())
        default: throw error("unknown escape")
        }
    }

    private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let afterFirst = position
        if first < 0xDC00, take("\\"), take("u") {
            let second = try fourHexDigits()
            if (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            {
                return scalar
            }
        }
        guard isTolerant else { throw error("half a surrogate pair") }
        position = afterFirst
        return "\u{FFFD}"
    }

    private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw error("four hexadecimal digits are expected")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    // MARK: - Numbers

    private mutating func number() throws(JSONError) -> String {
        let start = position
        _ = take("-")
        if !take("0") {
            guard digits() else { throw error("a value is expected") }
        }
        if take(".") {
            guard digits() else { throw error("a digit is expected") }
        }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { throw error("a digit is expected") }
        }
        return isScanning ? "" : String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() -> Bool {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        return position > start
    }

    // MARK: - Bytes

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func error(_ problem: String) -> JSONError {
        JSONError(problem: problem, offset: position)
    }
}
