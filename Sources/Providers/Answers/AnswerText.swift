/// The text of an answer, whatever it is written in: one byte that does not fit must not cost the id.
enum AnswerText {
    /// The text; bytes that stand for nothing become U+FFFD. NULs after the end are left out.
    static func decode(_ body: [UInt8], contentType: String) -> String {
        let body = body[..<(body.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0)]
        if body.starts(with: [0xEF, 0xBB, 0xBF]) { return String(decoding: body.dropFirst(3), as: UTF8.self) }
        if body.starts(with: [0xFE, 0xFF]) { return utf16(body.dropFirst(2), isBigEndian: true) }
        if body.starts(with: [0xFF, 0xFE]) { return utf16(body.dropFirst(2), isBigEndian: false) }
        // JSON begins with an ASCII character: of UTF-16 one byte of the first two is zero.
        if body.first == 0 { return utf16(body, isBigEndian: true) }
        if body.dropFirst().first == 0 { return utf16(body, isBigEndian: false) }
        if let text = String(validating: body, as: UTF8.self) { return text }
        let charset = contentType.lowercased()
        if ["iso-8859-1", "latin1", "windows-1252"].contains(where: charset.contains) {
            return String(String.UnicodeScalarView(body.map { Unicode.Scalar($0) }))
        }
        return String(decoding: body, as: UTF8.self)
    }

    private static func utf16(_ bytes: ArraySlice<UInt8>, isBigEndian: Bool) -> String {
        let bytes = Array(bytes)
        let units = stride(from: 0, to: bytes.count, by: 2).map { index in
            // The trailing NUL that was left out may have been half of the last unit.
            let pair = (UInt16(bytes[index]), index + 1 < bytes.count ? UInt16(bytes[index + 1]) : 0)
            return isBigEndian ? pair.0 << 8 | pair.1 : pair.1 << 8 | pair.0
        }
        return String(decoding: units, as: UTF16.self)
    }
}
