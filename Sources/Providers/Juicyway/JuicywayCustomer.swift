import Contracts
import JobModel

extension Operation {
    /// `POST /customers` (`seeds/004…`, `providers.md` section 5). A key is replayed for 24 hours (5.5).
    static let juicywayCustomer = Operation(
        kind: JobKind("juicyway.customer.create"), provider: ProviderName("juicyway"),
        policy: RecoveryPolicy(resend: .underSameKey(life: .seconds(86_400)), offersLookUp: true),
        createPath: { _ in "/customers" }, missingForPath: "",
        keyHeader: "Idempotency-Key", contentType: "application/json",
        creation: CreationReader(record: RecordReader(wrapper: "data"), lostAnswer: .unavailable),
        lookUp: LookUp(
            path: { context in
                context.payload["email"]?.string.flatMap(CallContext.encoded).map { "/customers?email=\($0)" }
            },
            find: { body, context in
                let email = context.payload["email"]?.string?.lowercased()
                guard let list = body["data"]?.array else { return .unreadable }
                if list.isEmpty { return .absent }
                // Others than asked for: the filter was not heard, or the address is written otherwise there.
                guard let ours = list.first(where: { $0["email"]?.string?.lowercased() == email }) else {
                    return .others
                }
                return Finding(RecordReader().record(in: ours))
            }))
}
