package import JobModel

/// The rules for a kind's payload, taken from the provider's API reference. Unknown fields pass.
package struct Contract: Sendable {
    /// The kind.
    package let kind: JobKind
    let title: String
    let source: String
    let schema: Schema

    /// A contract; `source` names the document that it was taken from.
    package init(kind: JobKind, title: String, source: String, schema: Schema) {
        self.kind = kind
        self.title = title
        self.source = source
        self.schema = schema
    }

    /// Tells every fault of a payload; none when the provider may be asked. There may be as many as the payload has bytes.
    package func forEachFault(in payload: JSONView, _ body: (Fault) -> Void) { schema.check(payload, body) }

    /// How many faults a payload has, and the first `limit` of them.
    package func faults(in payload: JSONView, keeping limit: Int) -> (count: Int, first: [Fault]) {
        var faults: (count: Int, first: [Fault]) = (0, [])
        forEachFault(in: payload) { fault in
            faults.count += 1
            if faults.count <= limit { faults.first.append(fault) }
        }
        return faults
    }

    /// What INSERT checks of the fields at the top level, as the database has it in `kinds.fields`.
    package var topLevelRules: JSONValue {
        switch schema {
        case .object(let fields): Field.rules(of: fields)
        case .variants(let name, let variants):
            .object([name: Field.required(name, .text).rule(variants: variants)])
        default: .object([:])
        }
    }

    /// The contract as JSON Schema 2020-12. Members marked `x-assumption` have names that the project chose.
    package var jsonSchema: JSONValue {
        .object(
            schema.jsonSchema.merging([
                "$schema": .string("https://json-schema.org/draft/2020-12/schema"),
                "$id": .string("urn:onboard:contract:\(kind)"), "title": .string(title),
                "$comment": .string("source: \(source)"),
            ]) { $1 })
    }

    /// The names of all members, at every depth: words that an error may repeat.
    package var fieldNames: Set<String> { schema.fieldNames }
}
