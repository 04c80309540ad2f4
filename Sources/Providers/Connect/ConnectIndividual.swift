import Contracts
import JobModel

extension Operation {
    /// `POST /customers/individual` (`seeds/002…`, `providers.md` section 3). No key, no natural key, and a
    /// list that proves nothing: an answer that is lost stays unknown.
    static let connectIndividual = Operation(
        kind: JobKind("connect.individual.create"), provider: ProviderName("connect"),
        policy: RecoveryPolicy(resend: .never, offersLookUp: false),
        createPath: { _ in "/customers/individual" }, missingForPath: "",
        keyHeader: nil, contentType: "application/json",
        creation: CreationReader(
            record: RecordReader(wrapper: "data"), lostAnswer: .ambiguous, identity: [.payload("email")]),
        lookUp: nil)
}
