extension Schema {
    /// The same as JSON Schema 2020-12.
    var jsonSchema: [String: JSONValue] {
        switch self {
        case .string(let minimum, let maximum, let pattern, let values):
            var schema: [String: JSONValue] = ["type": .string("string")]
            if let minimum { schema["minLength"] = .number(String(minimum)) }
            if let maximum { schema["maxLength"] = .number(String(maximum)) }
            if let pattern { schema["pattern"] = .string(pattern.expression) }
            if let values { schema["enum"] = .array(values.map(JSONValue.string)) }
            return schema
        case .boolean: return ["type": .string("boolean")]
        case .number: return ["type": .string("number")]
        case .integer: return ["type": .string("integer")]
        case .array(let element, let maximum):
            var schema: [String: JSONValue] = ["type": .string("array"), "items": .object(element.jsonSchema)]
            if let maximum { schema["maxItems"] = .number(String(maximum)) }
            return schema
        case .object(let fields): return Self.jsonSchema(of: fields)
        case .variants(let name, let variants):
            var schema = Self.jsonSchema(of: [.required(name, .text)])
            schema["allOf"] = .array(
                variants.sorted { $0.key < $1.key }.map { value, variant in
                    let isThis: JSONValue = .object(["properties": .object([name: .object(["const": .string(value)])])])
                    return .object(["if": isThis, "then": .object(variant.jsonSchema)])
                })
            return schema
        case .anyOf(let alternatives):
            return ["anyOf": .array(alternatives.map { .object($0.jsonSchema) })]
        }
    }

    private static func jsonSchema(of fields: [Field]) -> [String: JSONValue] {
        var properties: [String: JSONValue] = [:]
        for field in fields {
            let schema = field.schema.jsonSchema
            let null: JSONValue = .object(["type": .string("null")])
            var property = field.isRequired ? schema : ["anyOf": .array([.object(schema), null])]
            if field.isAssumption { property["x-assumption"] = .bool(true) }
            properties[field.name] = .object(property)
        }
        var schema: [String: JSONValue] = ["type": .string("object"), "properties": .object(properties)]
        let required = fields.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { schema["required"] = .array(required) }
        return schema
    }
}

extension Field {
    /// The part of the schema that SQL checks, with the words for what a pattern means.
    fileprivate var rule: [String: JSONValue] {
        let kept: Set = ["type", "minLength", "maxLength", "pattern", "enum"]
        var rule = schema.jsonSchema.filter { kept.contains($0.key) }
        if case .string(_, _, let pattern?, _) = schema { rule["meaning"] = .string(pattern.meaning) }
        if isRequired { rule["required"] = .bool(true) }
        return rule
    }

    /// The rules of the fields of an object.
    static func rules(of fields: [Field]) -> JSONValue {
        .object(Dictionary(fields.map { ($0.name, .object($0.rule)) }) { $1 })
    }

    /// The rule of a field whose value says which other fields there are.
    func rule(variants: [String: Schema]) -> JSONValue {
        let rules = variants.compactMapValues { variant -> JSONValue? in
            guard case .object(let fields) = variant else { return nil }
            return Self.rules(of: fields)
        }
        return .object(rule.merging(["variants": .object(rules)]) { $1 })
    }
}
