import Contracts
import JobModel

extension KindDefinition {
    /// `POST /customers/{id}/identifications`, and `…/v2` for the types of that version. What the other types of the first
    /// version are called is unknown, so any other type passes with its name alone.
    static let ironIdentification = KindDefinition(
        contract: Contract(
            kind: JobKind("iron.identification.create"), title: "Iron: create an identification",
            source: "seed 001; OpenAPI of July 2026", schema: .variants(name: "type", secondVersion)),
        example: ["type": "Direct"],
        path: "/customers/{customer_id}/identifications",
        variantPath: VariantPath(
            field: "type", values: Set(secondVersion.keys), path: "/customers/{customer_id}/identifications/v2"),
        contentType: Iron.contentType, key: Iron.key, parameterHeaders: Iron.parameterHeaders,
        parent: Parent(kind: "iron.customer.create", parameter: "customer_id"), identity: [.parameter("customer_id")],
        statuses: Iron.statuses,
        // The order of the list is not documented.
        lookUp: LookUp(
            "/customers/{customer_id}/identifications?page_size=100",
            .siblings(
                LookUp.Siblings(
                    parent: "customer_id", createdAt: "created_at", closed: ["Declined", "Expired", "Archived"],
                    decided: ["Approved"])),
            pages: Pages(list: "items", cursor: ["cursor"], parameter: "cursor")),
        detailPath: "/identifications/{id}",
        simulation: KindSimulation(
            record: [
                "id": "{id}", "customer_id": "{customer_id}", "status": "Pending", "created_at": "{at}",
                "updated_at": "{at}", "url": "https://kyc.example.com/{id}",
            ], conflict: "Has Pending Identification"))

    private static let secondVersion: [String: Schema] = [
        "Link": .object([.optional("with_edd", .boolean)]), "Token": IronBodies.token, "Person": IronBodies.person,
        "Business": IronBodies.business,
    ]
}
