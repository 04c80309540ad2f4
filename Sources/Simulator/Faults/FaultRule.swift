package import Contracts

/// When a provider misbehaves and how. The first rule that matches a request counts.
package struct FaultRule: Sendable, Equatable {
    /// How a provider misbehaves.
    package enum Fault: String, Sendable, CaseIterable {
        /// Answers later, by `milliseconds`.
        case delay
        /// Does its work and answers only after `milliseconds`, whether or not the client still waits.
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
        /// Forgets every key that it has stored, as at the end of their lives, and answers as a new one would be.
        case forgottenKeys = "forgotten_keys"
    }

    /// `iron`, `connect`, `axisfi`, `juicyway`, or `*` for all.
    package var provider = "*"
    /// Only requests of this method; nil for all.
    package var method: String?
    /// Only so many matching requests, then the rule is spent.
    package var first: Int?
    /// Only each so manieth matching request.
    package var every: Int?
    /// Only requests whose body contains this text.
    package var contains: String?
    /// How it misbehaves.
    package var fault: Fault
    /// For `status`.
    package var status = 500
    /// For `delay`, `late_effect` and `slow_body`.
    package var milliseconds = 0
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
        default: return false
        }
        return true
    }
}
