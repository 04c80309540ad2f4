package import Contracts

/// When a provider misbehaves and how. The first rule that matches a request counts.
package struct FaultRule: Sendable, Equatable {
    /// How a provider misbehaves.
    package enum Fault: String, Sendable, CaseIterable {
        /// Answers later, by `milliseconds`.
        case delay
        /// Does its work and answers only after `milliseconds`, whether or not the client still waits. With `cut_after`
        /// the connection is closed after so many milliseconds, before the work or after it.
        case lateEffect = "late_effect"
        /// Answers `status` and does nothing.
        case status
        /// Answers 429 with `Retry-After` of `seconds`, as a number or, with `as_date`, as a date; without when 0.
        case throttle
        /// Refuses the credentials.
        case unauthorized
        /// Answers 500 and does nothing, and answers the same to that key for ever.
        case storedError = "stored_error"
        /// Does its work and then closes the connection without an answer.
        case lostAnswer = "lost_answer"
        /// Closes the connection and does nothing.
        case cut
        /// Does its work and sends half of the answer.
        case halfBody = "half_body"
        /// Does nothing and answers nothing for `seconds`.
        case hang
        /// Does its work and answers without the id.
        case noID = "no_id"
        /// Redirects elsewhere and does nothing.
        case redirect
        /// Does its work and answers with a page of HTML.
        case wrongContentType = "wrong_content_type"
        /// Does its work and answers with a body that never ends.
        case endlessBody = "endless_body"
        /// Does its work and sends the answer byte by byte, `milliseconds` apart.
        case slowBody = "slow_body"
        /// Does its work and answers with the id of the first record that it ever made.
        case duplicateID = "duplicate_id"
        /// Does its work and answers with an id that no record can have: a name with a NUL in it.
        case wrongID = "wrong_id"
        /// Does its work and sends the answer as gzip, whatever was asked for.
        case gzip
        /// Does its work and sends half of a gzip stream as the whole answer.
        case brokenGzip = "broken_gzip"
        /// Does its work and sends the answer in a coding that nobody knows.
        case unknownCoding = "unknown_coding"
        /// Does its work and puts a byte order mark before the answer.
        case byteOrderMark = "byte_order_mark"
        /// Does its work and adds a name with a letter in ISO 8859-1 to the answer, which is not UTF-8 then.
        case latin1
        /// Does its work, and after the answer, `milliseconds` later, sends another record's on the same connection.
        case stray
        /// Answers a look-up that finds nothing with 200 and `{"data": null}`.
        case nullData = "null_data"
        /// Closes the connection after the answer, without saying so before.
        case closeIdle = "close_idle"
        /// Answers 429 without `Retry-After`, and does nothing, above `per_second` calls within a second.
        case rateLimit = "rate_limit"
        /// Shows a list's records only on its last page, after `pages` of others.
        case paged
        /// Forgets every key that it has stored, as at the end of their lives, and answers as a new one would be.
        case forgottenKeys = "forgotten_keys"
    }

    /// The name of a provider, or `*` for all.
    package var provider = "*"
    /// Only requests of this method; nil for all.
    package var method: String?
    /// Only so many matching requests, then the rule is spent.
    package var first: Int?
    /// Applies to every n-th matching request.
    package var every: Int?
    /// Only requests whose body contains this text.
    package var contains: String?
    /// How it misbehaves.
    package var fault: Fault
    /// For `status`.
    package var status = 500
    /// For `delay`, `late_effect`, `slow_body` and `stray`.
    package var milliseconds = 0
    /// For `late_effect`: when the connection is closed; nil to keep it.
    package var cutAfter: Int?
    /// For `rate_limit`.
    package var perSecond = 1
    /// For `paged`.
    package var pages = 1
    /// For `throttle` and `hang`.
    package var seconds = 0
    /// For `throttle`: whether the time is given as a date.
    package var asDate = false

    /// Why a rule cannot be read.
    package struct Invalid: Error, CustomStringConvertible {
        /// One sentence.
        package let description: String
    }

    /// A rule for all requests of all providers.
    package init(_ fault: Fault) {
        self.fault = fault
    }

    /// Reads rules from a JSON array of objects with the names above in snake case.
    package static func list(_ json: JSONValue) throws(Invalid) -> [FaultRule] {
        guard let array = json.array else { throw Invalid(description: "faults must be a JSON array") }
        var rules: [FaultRule] = []
        for entry in array { rules.append(try FaultRule(entry)) }
        return rules
    }

    private init(_ json: JSONValue) throws(Invalid) {
        guard let name = json["fault"]?.string, let fault = Fault(rawValue: name) else {
            let known = Fault.allCases.map(\.rawValue).joined(separator: ", ")
            throw Invalid(description: "each fault needs \"fault\", one of \(known)")
        }
        self.init(fault)
        for (key, value) in json.object ?? [:] {
            switch (key, value) {
            case ("fault", _): break
            case ("provider", .string(let text)): provider = text
            case ("method", .string(let text)): method = text.uppercased()
            case ("contains", .string(let text)): contains = text
            case ("as_date", .bool(let flag)): asDate = flag
            case (_, .number(let literal)):
                guard let number = Int(literal), number >= 0, set(key, number) else {
                    throw Invalid(description: "a fault has the unknown or wrong member \"\(key)\"")
                }
            default: throw Invalid(description: "a fault has the unknown or wrong member \"\(key)\"")
            }
        }
    }

    private mutating func set(_ key: String, _ number: Int) -> Bool {
        switch key {
        case "first": first = number
        case "every": every = max(1, number)
        case "status": status = number
        case "milliseconds": milliseconds = number
        case "seconds": seconds = number
        case "cut_after": cutAfter = number
        case "per_second": perSecond = number
        case "pages": pages = number
        default: return false
        }
        return true
    }
}
