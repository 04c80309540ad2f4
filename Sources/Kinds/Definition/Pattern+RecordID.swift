package import Contracts

extension Pattern {
    /// What may be a provider's id of a record, where it does not promise more. Nothing is ever left out of one to make it
    /// fit.
    ///
    /// The ids that providers document are UUIDs, and `cus_` with 32 hexadecimal digits. A program that has no value prints a
    /// word: a text of up to 19 characters without a digit is taken for one.
    package static let recordID = Pattern(
        expression: "^(?=.*[0-9]|.{20})(?![0xX-]*$)(?![fF-]*$)[A-Za-z0-9][A-Za-z0-9._:~-]{0,254}$",
        meaning: "must be an id of 1 to 255 letters, digits, . _ : ~ -, with a digit where it is short"
    ) { text in
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= 255, isLetter(first) || isDigit(first) else { return false }
        guard bytes.allSatisfy({ isLetter($0) || isDigit($0) || "._:~-".utf8.contains($0) }) else { return false }
        // A UUID of nothing but zeros or `f`s stands for none (RFC 9562, sections 5.9 and 5.10).
        if bytes.allSatisfy({ "0xX-".utf8.contains($0) }) || bytes.allSatisfy({ "fF-".utf8.contains($0) }) {
            return false
        }
        return bytes.count > longestWord || bytes.contains(where: isDigit)
    }

    private static let longestWord = 19

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
