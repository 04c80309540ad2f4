import Contracts

extension ProviderDefinition {
    /// Iron: customers and their identifications (https://docs.iron.xyz).
    static let iron = ProviderDefinition(
        "iron",
        credentials: [Credential(header: "X-API-Key")], sendsWebhooks: true,
        simulation: ProviderSimulation(
            basePath: "/api", error: "{message}", failure: ["message": "{message}", "trace_id": "{id}"]),
        kinds: [.ironCustomer, .ironIdentification])
}

/// What both of Iron's kinds have.
enum Iron {
    static let contentType = "application/json; charset=utf-8"
    /// How long Iron knows a key is not documented.
    static let key = IdempotencyKey(header: "IDEMPOTENCY-KEY", life: .seconds(86_400), isRequired: true)
    static let parameterHeaders = ["sub_partner_id": "X-SUB-PARTNER-ID"]
    static let statuses: Set<String> = [
        "UserRequired", "SigningsRequired", "IdentificationRequired", "Active", "Suspended", "Archived", "Pending",
        "Processed", "PendingReview", "Approved", "Declined", "Expired",
    ]
}
