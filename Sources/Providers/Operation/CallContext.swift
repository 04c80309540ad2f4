import Contracts
import FoundationEssentials
package import JobModel
package import Kinds

/// A claim with its definition, and its payload and parameters read, for the length of one call.
struct CallContext: Sendable {
    let claim: Claim
    let definition: KindDefinition
    let payload: JSONView
    let parameters: JSONValue
    /// The moment on this machine's clock.
    let now: Date

    /// Nil when the payload or the parameters cannot be read.
    init?(_ claim: Claim, _ definition: KindDefinition, now: Date = .distantPast) {
        do {
            self.claim = claim
            self.definition = definition
            self.now = now
            payload = try JSONView(parsing: claim.payload ?? [])
            parameters = try JSONValue(parsing: claim.parameters)
        } catch {
            return nil
        }
    }

    /// What the job says for a place in a path.
    func value(of source: ValueSource) -> String? {
        switch source {
        case .payload(let path): path.reduce(Optional(payload)) { $0?[$1] }?.string
        case .parameter(let name):
            parameters[name]?.string ?? (name == definition.parent?.parameter ? claim.afterProviderID : nil)
        }
    }

    /// The provider's id of the record that this one belongs to: the caller's, else that of the job waited for.
    var parentID: String? { definition.parent.flatMap { value(of: .parameter($0.parameter)) } }

    /// The path that creates; nil when the job lacks what it needs.
    var createPath: String? { definition.path { payload[$0]?.string }.filled(value) }

    /// The path that looks the record up; nil when this job cannot be looked up.
    var lookUpPath: String? { definition.lookUp?.path.filled(value) }

    /// What the caller has to supply where a path lacks a value.
    var missingForPath: String {
        guard let parent = definition.parent else { return "" }
        return "\(parent.parameter) is missing: give it in parameters, or name the \(parent.kind.resource) job in "
            + "after_job_id"
    }
}

extension KindDefinition {
    /// Whether this very job can be looked up: a kind may offer a look-up that needs a field which the payload leaves out.
    package func canLookUp(_ claim: Claim) -> Bool {
        lookUp != nil && CallContext(claim, self)?.lookUpPath != nil
    }
}
