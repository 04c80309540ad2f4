import Contracts
import JobModel

extension Operation {
    /// `POST /api/customers/create` (`seeds/003…`, `providers.md` section 4). The caller's own
    /// `partner_customer_id` is the natural key that the look-up asks for.
    static let axisFiCustomer = Operation(
        kind: JobKind("axisfi.customer.create"), provider: ProviderName("axisfi"),
        policy: RecoveryPolicy(resend: .afterLookUp(settle: .seconds(5)), offersLookUp: true),
        createPath: { _ in "/api/customers/create" }, missingForPath: "",
        keyHeader: nil, contentType: "application/json",
        creation: CreationReader(record: RecordReader(path: [], id: "customer_id"), lostAnswer: .unavailable),
        lookUp: LookUp(
            path: { context in
                context.payload["partner_customer_id"]?.string.flatMap(CallContext.encoded)
                    .map { "/api/customers/detail?partner_customer_id=\($0)" }
            },
            find: { body, context in
                guard body["partner_customer_id"]?.string == context.payload["partner_customer_id"]?.string else {
                    return nil
                }
                return RecordReader(path: [], id: "customer_id").record(in: body)
            }))
}
