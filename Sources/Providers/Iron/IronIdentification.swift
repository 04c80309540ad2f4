import Contracts
import JobModel

extension Operation {
    /// `POST /customers/{id}/identifications`, and `…/v2` for the types of that version
    /// (`seeds/001…`, `providers.md` section 2 and appendices A and B).
    static let ironIdentification = Operation(
        kind: JobKind("iron.identification.create"), provider: ProviderName("iron"),
        policy: RecoveryPolicy(resend: .underSameKey(life: .seconds(86_400)), offersLookUp: true),
        createPath: { context in
            guard let customer = context.customerID.flatMap(CallContext.encoded) else { return nil }
            let version = secondVersionTypes.contains(context.payload["type"]?.string ?? "") ? "/v2" : ""
            return "/customers/\(customer)/identifications\(version)"
        },
        missingForPath: "customer_id is missing: give it in parameters, or name the customer job in after_job_id",
        keyHeader: "IDEMPOTENCY-KEY", contentType: "application/json; charset=utf-8",
        parameterHeaders: ["sub_partner_id": "X-SUB-PARTNER-ID"],
        creation: CreationReader(record: RecordReader(), lostAnswer: .unavailable, identity: [.customerID]),
        lookUp: LookUp(
            path: { context in
                context.customerID.flatMap(CallContext.encoded).map { "/customers/\($0)/identifications?page_size=100" }
            },
            find: { body, context in IdentificationList(body, context).finding() }, identity: [.customerID],
            isProvedByPath: true, place: "items", pages: Pages(list: "items", cursor: ["cursor"], parameter: "cursor")))

    private static let secondVersionTypes: Set<String> = ["Link", "Token", "Person", "Business"]
}
