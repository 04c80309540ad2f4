import Contracts
import JobModel

extension ProviderDefinition {
    /// Juicyway: `POST /customers` (https://docs.juicyway.com/waas/create-customer). A key is replayed for 24 hours. E-mail
    /// addresses are unique. Whether the API key needs a scheme is told in two ways.
    static let juicyway = ProviderDefinition(
        "juicyway",
        defaultURL: "https://api.spendjuice.com",
        credentials: [Credential(header: "Authorization", schemeSetting: "AUTH_SCHEME")], sendsWebhooks: true,
        simulation: ProviderSimulation(
            error: [
                "error": ["code": "{code}", "message": "{message}", "type": "invalid_request_error"],
                "request_id": "{id}",
            ]),
        kinds: [
            KindDefinition(
                contract: customer,
                example: [
                    "first_name": "{mark}", "last_name": "{mark}son", "email": "{address}", "phone": "+2348000000000",
                    "type": "individual",
                    "billing_address": [
                        "line1": "{mark} Road", "city": "{mark}", "state": "Lagos", "zip_code": "100001",
                        "country": "NG",
                    ],
                ],
                path: "/customers",
                key: IdempotencyKey(
                    header: "Idempotency-Key", life: .seconds(86_400), isRequired: false, reuseStatus: 422),
                record: RecordPlace(wrapper: "data"), identity: [.payload("email"), .payload("type")],
                // The documents know it under both names.
                aliases: ["phone": "phone_number"], statuses: ["pending_kyc", "active"],
                lookUp: LookUp(
                    "/customers?email={payload.email}", .filtered(key: "email"),
                    pages: Pages(list: "data", cursor: ["pagination", "after"], parameter: "after")),
                detailPath: "/customers/{id}",
                simulation: KindSimulation(
                    record: ["id": "{id}", "status": "pending_kyc", "created_at": "{at}"], echoesPayload: true,
                    conflict: "Customer already exists", invalidStatus: 422))
        ])

    /// Which letters a name may have is left to the provider: people's names have more of them than any list.
    private static let customer = Contract(
        kind: JobKind("juicyway.customer.create"), title: "Juicyway: create a customer", source: "seed 004",
        schema: .object([
            .required("first_name", .string(minLength: 1, maxLength: 100)),
            .required("last_name", .string(minLength: 1, maxLength: 100)), .required("email", .string(pattern: .email)),
            .required("phone", .text), .required("type", .string(values: ["individual", "business"])),
            .required(
                "billing_address",
                .object([
                    .required("line1", .text), .optional("line2"), .required("city", .text), .required("state", .text),
                    .required("zip_code", .text), .required("country", .string(pattern: .country)),
                ])),
        ]))
}
