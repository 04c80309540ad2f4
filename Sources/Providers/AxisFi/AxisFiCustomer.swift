import Contracts
import JobModel

extension Operation {
    /// `POST /api/customers/create` (`seeds/003…`, `providers.md` section 4). The caller's own
    /// `partner_customer_id` is the natural key that the look-up asks for.
    static let axisFiCustomer = Operation(
        kind: JobKind("axisfi.customer.create"), provider: ProviderName("axisfi"),
        policy: RecoveryPolicy(resend: .afterLookUp, offersLookUp: true),
        createPath: { _ in "/api/customers/create" }, missingForPath: "",
        keyHeader: nil, contentType: "application/json",
        creation: CreationReader(record: record, lostAnswer: .unavailable, identity: identity),
        lookUp: LookUp(
            path: { context in
                context.payload["partner_customer_id"]?.string.flatMap(CallContext.encoded)
                    .map { "/api/customers/detail?partner_customer_id=\($0)" }
            },
            find: { body, context in
                // What is answered when there is none is not documented (`providers.md` 4.4).
                if Absence.isClear(body, place: "data", asked: identity.sent(context)) { return .absent }
                // The query asked by it; the answer may leave it out.
                let id = record.record(of: body)?["partner_customer_id"]?.string
                if let id, id != context.payload["partner_customer_id"]?.string { return .others }
                return Finding(record, in: body, for: context)
            }, identity: identity))

    private static let identity: [Identity] = [
        .payload("partner_customer_id"), .payload("primary_contact", "contact_email"),
    ]

    /// Whether the answer is wrapped is not documented (`providers.md` 4).
    private static let record = RecordReader(wrapper: "data", isTolerant: true, id: "customer_id")
}
