import Contracts
import JobModel

extension Operation {
    /// `POST /customers` (`seeds/004…`, `providers.md` section 5). A key is replayed for 24 hours (5.5).
    static let juicywayCustomer = Operation(
        kind: JobKind("juicyway.customer.create"), provider: ProviderName("juicyway"),
        policy: RecoveryPolicy(resend: .underSameKey(life: .seconds(86_400)), offersLookUp: true),
        createPath: { _ in "/customers" }, missingForPath: "",
        keyHeader: "Idempotency-Key", contentType: "application/json",
        creation: CreationReader(
            record: RecordReader(wrapper: "data"), lostAnswer: .unavailable, identity: identity),
        lookUp: LookUp(
            path: { context in
                context.payload["email"]?.string.flatMap(CallContext.encoded).map { "/customers?email=\($0)" }
            },
            find: { body, context in
                let absence = Absence.isClear(body, place: "data", asked: identity.sent(context))
                guard let list = body["data"]?.array, !list.isEmpty else { return absence ? .absent : .unreadable }
                guard let ours = list.first(where: { email.agrees($0, context) == true }) else {
                    if pages.goesOn(body) { return .unreadable }
                    // Others than asked for: the filter was not heard, or the address is written otherwise there.
                    return .others
                }
                return Finding(RecordReader(), in: ours, for: context)
            }, identity: identity, pages: pages))

    private static let email = Identity.payload("email")
    private static let identity = [email, .payload("type")]
    private static let pages = Pages(list: "data", cursor: ["pagination", "after"], parameter: "after")
}
