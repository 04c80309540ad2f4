import Contracts
import JobModel

extension KindDefinition {
    /// `POST /customers`.
    static let ironCustomer = KindDefinition(
        contract: Contract(
            kind: JobKind("iron.customer.create"), title: "Iron: create a customer", source: "seed 000",
            schema: .object([
                .required("customer_type", .string(values: ["Business", "Person"])),
                .required("email", .string(pattern: .email)), .optional("external_id"), .optional("name"),
            ])),
        example: [
            "customer_type": "Person", "email": "{address}", "name": "{mark} Person", "external_id": "ext-{n}",
        ],
        path: "/customers", contentType: Iron.contentType, key: Iron.key, parameterHeaders: Iron.parameterHeaders,
        identity: [.payload("external_id"), .payload("email"), .payload("customer_type")], statuses: Iron.statuses,
        lookUp: LookUp("/customers/{payload.external_id}/external", key: "external_id"), detailPath: "/customers/{id}",
        simulation: KindSimulation(
            record: [
                "id": "{id}", "created_at": "{at}", "updated_at": "{at}", "customer_type": "{payload.customer_type}",
                "email": "{payload.email}", "name": "{payload.name}", "external_id": "{payload.external_id}",
                "identification_ids": [], "signing_ids": [], "partner_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
                "status": "IdentificationRequired",
            ]))
}
