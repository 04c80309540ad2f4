extension Schema {
    /// Where in a document a check is.
    private enum Place {
        case member(String)
        case element(Int)
    }

    /// Tells all faults of `value`.
    func check(_ value: JSONView, _ report: (Fault) -> Void) {
        var path: [Place] = []
        check(value, &path, report)
    }

    private func check(_ value: JSONView, _ path: inout [Place], _ report: (Fault) -> Void) {
        func tell(_ message: String) { report(Fault(path: Self.pointer(path), message: message)) }
        switch (self, value.kind) {
        case (.string(let minimum, let maximum, let pattern, let values), .string):
            Self.check(value.string ?? "", minimum, maximum, pattern, values, tell)
        case (.string, _): tell("must be a string")
        case (.boolean, .bool), (.number, .number): break
        case (.boolean, _): tell("must be true or false")
        case (.number, _): tell("must be a number")
        case (.integer, .number):
            guard case .number(let literal) = value.value, Self.isInteger(literal) else {
                return tell("must be a whole number")
            }
        case (.integer, _): tell("must be a whole number")
        case (.array(let element, let maximum), .array):
            var count = 0
            value.forEachElement { one in
                path.append(.element(count))
                element.check(one, &path, report)
                path.removeLast()
                count += 1
            }
            if let maximum, count > maximum { tell("may have at most \(maximum) elements") }
        case (.array, _): tell("must be an array")
        case (.object(let fields), .object): _ = Self.check(value, fields, &path, report)
        case (.object, _): tell("must be an object")
        case (.variants(let name, let variants), .object):
            let own = Self.check(value, [.required(name, .text)], &path, report)
            guard let variant = own[name]?.string.flatMap({ variants[$0] }) else { return }
            variant.check(value, &path, report)
        case (.variants, _): tell("must be an object")
        case (.anyOf(let alternatives), _):
            // The alternative that comes nearest says what is missing.
            let counts = alternatives.map { alternative in
                var count = 0
                alternative.check(value, &path) { _ in count += 1 }
                return count
            }
            guard let fewest = counts.min(), fewest > 0, let nearest = counts.firstIndex(of: fewest) else { return }
            alternatives[nearest].check(value, &path, report)
        }
    }

    private static func check(
        _ text: String, _ minimum: Int?, _ maximum: Int?, _ pattern: Pattern?, _ values: [String]?,
        _ report: (String) -> Void
    ) {
        if minimum != nil || maximum != nil {
            let length = text.unicodeScalars.count
            if let minimum, length < minimum {
                report("must have at least \(minimum) characters")
            }
            if let maximum, length > maximum {
                report("may have at most \(maximum) characters")
            }
        }
        if let pattern, !pattern.matches(text) { report(pattern.meaning) }
        if let values, !values.contains(text) {
            let list = values.count <= 12 ? ": " + values.joined(separator: ", ") : ""
            report("must be one of \(values.count) values\(list)")
        }
    }

    /// Checks the members of an object, and returns those that `fields` name.
    private static func check(
        _ object: JSONView, _ fields: [Field], _ path: inout [Place], _ report: (Fault) -> Void
    ) -> [String: JSONView] {
        var members: [String: JSONView] = [:]
        object.forEachMember { key, value in if fields.contains(where: { $0.name == key }) { members[key] = value } }
        for field in fields {
            path.append(.member(field.name))
            defer { path.removeLast() }
            if let value = members[field.name], field.isRequired || value.kind != .null {
                field.schema.check(value, &path, report)
            } else if field.isRequired {
                report(Fault(path: pointer(path), message: "is required"))
            }
        }
        return members
    }

    private static func pointer(_ path: [Place]) -> String {
        path.map { place in
            switch place {
            case .member(let name): "/\(name)"
            case .element(let index): "/\(index)"
            }
        }.joined()
    }

    /// Whether a number has no fraction, whatever its form: `1`, `1.0`, `10e-1`, `1e3`.
    private static func isInteger(_ literal: String) -> Bool {
        let parts = literal.split(whereSeparator: { $0 == "e" || $0 == "E" })
        let mantissa = parts[0].split(separator: ".")
        guard let exponent = parts.count > 1 ? Int(parts[1]) : 0 else { return false }
        let digits = mantissa[0].filter(\.isNumber) + (mantissa.count > 1 ? mantissa[1] : "")
        let significant = digits.reversed().drop { $0 == "0" }.count
        guard digits.contains(where: { $0 != "0" }) else { return true }
        let beforePoint = mantissa[0].filter(\.isNumber).count + min(max(exponent, -1_000_000), 1_000_000)
        return significant <= beforePoint
    }
}
