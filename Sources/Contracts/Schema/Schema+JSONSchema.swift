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
            var property = field.schema.jsonSchema
            if field.isAssumption { property["x-assumption"] = .bool(true) }
            properties[field.name] = .object(property)
        }
        var schema: [String: JSONValue] = ["type": .string("object"), "properties": .object(properties)]
        let required = fields.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { schema["required"] = .array(required) }
        return schema
    }
}
