extension Schema {
    /// All faults of `value`, which stands at `path`.
    func faults(in value: JSONValue, at path: String = "") -> [Fault] {
        switch (self, value) {
        case (.string(let minimum, let maximum, let pattern, let values), .string(let text)):
            return Self.faults(in: text, minimum, maximum, pattern, values, path)
        case (.string, _): return [Fault(path: path, message: "must be a string")]
        case (.boolean, .bool), (.number, .number): return []
        case (.boolean, _): return [Fault(path: path, message: "must be true or false")]
        case (.number, _): return [Fault(path: path, message: "must be a number")]
        case (.integer, .number(let literal)) where Self.isInteger(literal): return []
        case (.integer, _): return [Fault(path: path, message: "must be a whole number")]
        case (.array(let element, let maximum), .array(let elements)):
            var faults = elements.enumerated().flatMap { element.faults(in: $1, at: "\(path)/\($0)") }
            if let maximum, elements.count > maximum {
                faults.append(Fault(path: path, message: "may have at most \(maximum) elements"))
            }
            return faults
        case (.array, _): return [Fault(path: path, message: "must be an array")]
        case (.object(let fields), .object(let members)): return Self.faults(in: members, fields, path)
        case (.object, _): return [Fault(path: path, message: "must be an object")]
        case (.variants(let name, let variants), .object(let members)):
            let own = Self.faults(in: members, [.required(name, .text)], path)
            guard own.isEmpty, let variant = members[name]?.string.flatMap({ variants[$0] }) else { return own }
            return variant.faults(in: value, at: path)
        case (.variants, _): return [Fault(path: path, message: "must be an object")]
        case (.anyOf(let alternatives), _):
            // The alternative that comes nearest says what is missing.
            let all = alternatives.map { $0.faults(in: value, at: path) }
            return all.contains { $0.isEmpty } ? [] : all.min { $0.count < $1.count } ?? []
        }
    }

    private static func faults(
        in text: String, _ minimum: Int?, _ maximum: Int?, _ pattern: Pattern?, _ values: [String]?, _ path: String
    ) -> [Fault] {
        var faults: [Fault] = []
        if minimum != nil || maximum != nil {
            let length = text.unicodeScalars.count
            if let minimum, length < minimum {
                faults.append(Fault(path: path, message: "must have at least \(minimum) characters"))
            }
            if let maximum, length > maximum {
                faults.append(Fault(path: path, message: "may have at most \(maximum) characters"))
            }
        }
        if let pattern, !pattern.matches(text) { faults.append(Fault(path: path, message: pattern.meaning)) }
        if let values, !values.contains(text) {
            let list = values.count <= 12 ? ": " + values.joined(separator: ", ") : ""
            faults.append(Fault(path: path, message: "must be one of \(values.count) values\(list)"))
        }
        return faults
    }

    private static func faults(in members: [String: JSONValue], _ fields: [Field], _ path: String) -> [Fault] {
        fields.flatMap { field -> [Fault] in
            let place = "\(path)/\(field.name)"
            guard let value = members[field.name] else {
                return field.isRequired ? [Fault(path: place, message: "is required")] : []
            }
            return field.schema.faults(in: value, at: place)
        }
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
