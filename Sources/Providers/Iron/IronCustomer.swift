import Contracts
import JobModel

extension Operation {
    /// `POST /customers` (`seeds/000…`, `providers.md` section 1).
    static let ironCustomer = Operation(
        kind: JobKind("iron.customer.create"), provider: ProviderName("iron"),
        policy: RecoveryPolicy(resend: .underSameKey(life: .seconds(86_400)), offersLookUp: true),
        createPath: { _ in "/customers" }, missingForPath: "",
        keyHeader: "IDEMPOTENCY-KEY", contentType: "application/json; charset=utf-8",
        parameterHeaders: ["sub_partner_id": "X-SUB-PARTNER-ID"],
        creation: CreationReader(record: RecordReader(), lostAnswer: .unavailable, identity: identity),
        lookUp: LookUp(
            path: { context in
                guard let id = context.payload["external_id"]?.string, let segment = CallContext.encoded(id) else {
                    return nil
                }
                return "/customers/\(segment)/external"
            },
            find: { body, context in
                if Absence.isClear(body, place: "data", asked: identity.sent(context)) { return .absent }
                // The path asked by it; the answer may leave it out (`providers.md` 1.3).
                if let id = body["external_id"]?.string, id != context.payload["external_id"]?.string {
                    return .others
                }
                return Finding(RecordReader(), in: body, for: context)
            }, identity: identity))

    private static let identity: [Identity] = [
        .payload("external_id"), .payload("email"), .payload("customer_type"),
    ]
}
