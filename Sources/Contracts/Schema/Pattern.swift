/// A form of text, as a matcher and as the regular expression that means the same everywhere.
///
/// A value of our own, since dialects of regular expressions differ in what they call a letter or a digit.
package struct Pattern: Sendable {
    /// The expression, in the part of ECMA-262 that all validators share; it covers the whole text.
    package let expression: String
    /// What to say about text that does not match.
    package let meaning: String
    /// Whether a text has the form.
    package let matches: @Sendable (String) -> Bool

    /// A form of its own: `matches` means what `expression` says.
    package init(expression: String, meaning: String, matches: @escaping @Sendable (String) -> Bool) {
        self.expression = expression
        self.meaning = meaning
        self.matches = matches
    }

    /// Only characters of `set`, at least one; `expression` is the same set in brackets.
    private static func characters(
        _ set: String, ranges: [ClosedRange<Unicode.Scalar>], meaning: String, expression: String
    ) -> Pattern {
        let single = Set(set.unicodeScalars)
        return Pattern(expression: "^[\(expression)]+$(?!\\n)", meaning: meaning) { text in
            !text.isEmpty
                && text.unicodeScalars.allSatisfy { scalar in
                    single.contains(scalar) || ranges.contains { $0.contains(scalar) }
                }
        }
    }

    private static let alphanumeric: [ClosedRange<Unicode.Scalar>] = ["a"..."z", "A"..."Z", "0"..."9"]

    /// Something before and after one @, no space: what is certainly no address is refused, no more.
    package static let email = Pattern(
        expression: "^[^@ \\n\\r\\t]+@[^@ \\n\\r\\t]+$(?!\\n)", meaning: "must be an e-mail address"
    ) { text in
        let parts = text.unicodeScalars.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && !text.unicodeScalars.contains { $0 == " " || $0 == "\n" || $0 == "\r" || $0 == "\t" }
    }
    /// `YYYY-MM-DD`, digits only: the calendar is the provider's to check.
    package static let date = Pattern(
        expression: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\\n)", meaning: "must be a date, YYYY-MM-DD"
    ) { text in
        let scalars = Array(text.unicodeScalars)
        return scalars.count == 10
            && scalars.enumerated().allSatisfy { $0 == 4 || $0 == 7 ? $1 == "-" : ("0"..."9").contains($1) }
    }
    /// Two capital letters.
    package static let country = Pattern(
        expression: "^[A-Z]{2}$(?!\\n)", meaning: "must be a country of two capital letters"
    ) {
        text in
        text.unicodeScalars.count == 2 && text.unicodeScalars.allSatisfy { ("A"..."Z").contains($0) }
    }
    /// Digits, spaces, hyphens, plus signs, parentheses (Connect's reference of "Create individual customer").
    package static let phone = characters(
        " -+()", ranges: ["0"..."9"], meaning: "may have digits, spaces, hyphens, plus signs and parentheses only",
        expression: "0-9 \\-+()")
    /// One to four digits (Connect's reference of "Create individual customer").
    package static let phoneCountryCode = Pattern(expression: "^[0-9]{1,4}$(?!\\n)", meaning: "must be 1 to 4 digits") {
        text in
        (1...4).contains(text.unicodeScalars.count) && text.unicodeScalars.allSatisfy { ("0"..."9").contains($0) }
    }
    /// Letters, digits, hyphens, underscores (Connect's reference of "Create individual customer").
    package static let code = characters(
        "-_", ranges: alphanumeric, meaning: "may have letters, digits, hyphens and underscores only",
        expression: "A-Za-z0-9_\\-")
    /// The same and spaces (Connect's reference of "Create individual customer").
    package static let zipCode = characters(
        " -_", ranges: alphanumeric, meaning: "may have letters, digits, spaces, hyphens and underscores only",
        expression: "A-Za-z0-9_ \\-")
}
