import FoundationEssentials

/// Reads how long a provider asks to wait (RFC 9110, section 10.2.3; Juicyway spells it `retry_after`).
enum RetryAfter {
    /// No wait is longer, whatever the provider says.
    static let cap: Duration = .seconds(86_400)

    /// Whether the provider asks for a wait at all, readable or not.
    static func isAsked(_ headers: [String: String]) -> Bool {
        headers["retry-after"] != nil || headers["retry_after"] != nil
    }

    /// The wait, or nil without a header that can be read. A date counts from the answer's own `Date`,
    /// so that a wrong clock here does not matter; without one from `now`.
    static func wait(_ headers: [String: String], now: Date) -> Duration? {
        let start = headers["date"].flatMap { date($0, now: now) } ?? now
        let waits = ["retry-after", "retry_after"].compactMap { name in
            headers[name].flatMap { text in
                seconds(text) ?? date(text, now: start).map { .seconds($0.timeIntervalSince(start)) }
            }
        }
        return waits.max().map { min(max(.zero, $0), cap) }
    }

    /// Seconds, also with a fraction, which is rounded up.
    private static func seconds(_ text: String) -> Duration? {
        let parts = words(text).joined(separator: " ").split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = parts.first, !whole.isEmpty,
            parts.allSatisfy({ $0.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } })
        else { return nil }
        // Too many digits for a number are more than the cap as well.
        let more: Duration = parts.count > 1 && parts[1].contains { $0 != "0" } ? .seconds(1) : .zero
        return min(.seconds(Int64(whole) ?? Int64(Int32.max)), cap) + more
    }

    /// An HTTP date in each of the forms that a recipient must accept (RFC 9110, section 5.6.7):
    /// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
    static func date(_ text: String, now: Date) -> Date? {
        var words = words(text)
        if words.count == 7 {
            // Day and month change places, and the year comes last.
            words = [words[0], words[2], words[1], words[6], words[3], words[4], words[5], "GMT"]
        }
        guard words.count == 8, ["GMT", "UTC"].contains(words[7].uppercased()), let day = Int(words[1]),
            let year = year(words[3], now: now),
            let month = months.firstIndex(of: words[2].capitalized), let hour = Int(words[4]),
            let minute = Int(words[5]), let second = Int(words[6]), (1...31).contains(day),
            (1970...9999).contains(year), (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        return Date(
            timeIntervalSince1970: Double(((days(year, month + 1, day) * 24 + hour) * 60 + minute) * 60 + second))
    }

    /// What blanks, colons, commas and hyphens separate; a sign makes a word that no number is.
    private static func words(_ text: String) -> [String] {
        let isNegative = text.drop { $0 == " " || $0 == "\t" }.hasPrefix("-")
        return isNegative ? [] : text.split { " \t:,-".contains($0) }.map(String.init)
    }

    /// Of two digits, the last year that is not more than 50 years ahead.
    private static func year(_ digits: String, now: Date) -> Int? {
        guard let year = Int(digits) else { return nil }
        guard digits.count == 2, (0...99).contains(year) else { return year }
        let last = 1970 + Int(now.timeIntervalSince1970 / 31_556_952) + 50
        return last - (last - year) % 100
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Days since 1970-01-01 in the Gregorian calendar.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
