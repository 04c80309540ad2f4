import Contracts
package import JobModel

/// One kind's provider call: everything that is the provider's own, as data over shared machinery.
///
/// A new provider is a new file that makes one of these and an entry in `OperationRegistry`.
package struct Operation: Sendable {
    /// The kind of the jobs.
    package let kind: JobKind
    /// Whose limits, credentials and circuit the calls share.
    package let provider: ProviderName
    /// What may be done after a lost answer.
    package let policy: RecoveryPolicy
    /// The path that creates, below the base URL; nil when the job lacks what it needs.
    let createPath: @Sendable (CallContext) -> String?
    /// What the caller has to supply where `createPath` gives nil.
    let missingForPath: String
    /// The header that carries the stored key; nil where the provider knows none.
    let keyHeader: String?
    /// The content type of the body.
    let contentType: String
    /// Parameters of the job that go into headers, by their name there.
    var parameterHeaders: [String: String] = [:]
    /// How the answer to a create is read.
    let creation: CreationReader
    /// How the provider is asked for the record; nil where it cannot be.
    let lookUp: LookUp?

    /// Whether this very job can be looked up: an operation may offer a look-up that needs a field
    /// which the payload leaves out.
    package func canLookUp(_ claim: Claim) -> Bool {
        guard let lookUp, let context = CallContext(claim) else { return false }
        return lookUp.path(context) != nil
    }
}

/// How a provider is asked for a record that an earlier request may have made.
struct LookUp: Sendable {
    /// The path with its query; nil when this job cannot be looked up.
    let path: @Sendable (CallContext) -> String?
    /// What the body of a 200 says about the job's record.
    let find: @Sendable (JSONValue, CallContext) -> Finding
    /// What shows whose record it is.
    var identity: [Identity] = []
    /// Whether the path alone says whose records are shown.
    var isProvedByPath = false
    /// The member of an answer that holds the record, or the list of them.
    var place = "data"
    /// How a list goes on; nil where the answer is no list.
    var pages: Pages?
}

/// What a look-up's answer says.
enum Finding: Sendable, Equatable {
    /// The record, and all that the answer says of it.
    case found(FoundRecord, JSONValue)
    /// There certainly is none.
    case absent
    /// The answer shows records, and none that matches the payload.
    case others
    /// The answer proves nothing.
    case unreadable

    /// Found at its place, or nothing proved.
    init(_ reader: RecordReader, in body: JSONValue, for context: CallContext) {
        guard let record = reader.record(in: body, for: context), let place = reader.record(of: body) else {
            self = .unreadable
            return
        }
        self = .found(record, place)
    }
}

/// A record at the provider.
struct FoundRecord: Sendable, Equatable {
    let id: String
    let status: String?
}
