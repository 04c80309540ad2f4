/// What a JSON value must look like: one declaration that both checks payloads and prints as JSON Schema.
///
/// Covers what the providers' documents need; the words mean what JSON Schema 2020-12 gives them.
package indirect enum Schema: Sendable {
    /// A string: its length in code points, a pattern, or one of some values.
    case string(minLength: Int? = nil, maxLength: Int? = nil, pattern: Pattern? = nil, values: [String]? = nil)
    /// `true` or `false`.
    case boolean
    /// Any number.
    case number
    /// A number without a fraction; `1.0` is one.
    case integer
    /// An array whose elements all look alike.
    case array(Schema, maxItems: Int? = nil)
    /// An object; fields that are not named pass.
    case object([Field])
    /// An object whose other fields depend on the string in the field `name`; other values of it pass.
    case variants(name: String, [String: Schema])
    /// One of these at least.
    case anyOf([Schema])

    /// A string of at least one character.
    package static let text = Schema.string(minLength: 1)
    /// Any string.
    package static let anyString = Schema.string()
}

extension Schema {
    /// The names of all members, at every depth.
    var fieldNames: Set<String> {
        switch self {
        case .string, .boolean, .number, .integer: []
        case .array(let element, _): element.fieldNames
        case .object(let fields): fields.reduce(into: []) { $0.formUnion($1.schema.fieldNames.union([$1.name])) }
        case .variants(let name, let variants): variants.values.reduce(into: [name]) { $0.formUnion($1.fieldNames) }
        case .anyOf(let alternatives): alternatives.reduce(into: []) { $0.formUnion($1.fieldNames) }
        }
    }
}

/// A named member of an object.
package struct Field: Sendable {
    let name: String
    let schema: Schema
    let isRequired: Bool
    let isAssumption: Bool

    /// A member that must be there.
    package static func required(_ name: String, _ schema: Schema = .anyString) -> Field {
        Field(name: name, schema: schema, isRequired: true, isAssumption: false)
    }

    /// A member that is checked where it is there. A null is no value and passes: no document forbids it, Iron's says `null` of
    /// a field that it calls a string (`spending_limit_euro` of "Create a new customer"), and `jsonb_build_object` writes it.
    package static func optional(_ name: String, _ schema: Schema = .anyString) -> Field {
        Field(name: name, schema: schema, isRequired: false, isAssumption: false)
    }

    /// A member whose name is the project's assumption, checked where it is there: no reference names it. Null as above.
    package static func assumed(_ name: String, _ schema: Schema = .anyString) -> Field {
        Field(name: name, schema: schema, isRequired: false, isAssumption: true)
    }
}
