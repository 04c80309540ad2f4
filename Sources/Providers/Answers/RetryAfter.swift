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
        guard let text = headers["retry-after"] ?? headers["retry_after"] else { return nil }
        let trimmed = text.drop { $0 == " " }
        if !trimmed.isEmpty, trimmed.allSatisfy({ $0.isASCII && $0.isNumber }) {
            return min(.seconds(Int64(trimmed.prefix(9)) ?? 0), cap)
        }
        guard let moment = date(text) else { return nil }
        let start = headers["date"].flatMap(date) ?? now
        return min(max(.zero, .seconds(moment.timeIntervalSince(start))), cap)
    }

    /// An HTTP date in its preferred form: `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func date(_ text: String) -> Date? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "," })
        guard words.count == 8, words[7] == "GMT", let day = Int(words[1]), let year = Int(words[3]),
            let month = months.firstIndex(of: String(words[2])), let hour = Int(words[4]), let minute = Int(words[5]),
            let second = Int(words[6]), (1...31).contains(day), (1970...9999).contains(year), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        return Date(
            timeIntervalSince1970: Double(((days(year, month + 1, day) * 24 + hour) * 60 + minute) * 60 + second))
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
