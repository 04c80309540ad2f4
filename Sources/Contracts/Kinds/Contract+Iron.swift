import JobModel

extension Contract {
    /// `CreateCustomerParams` (`seeds/000…`, `providers.md` 1.2).
    static let ironCustomer = Contract(
        kind: JobKind("iron.customer.create"), title: "Iron: create a customer", source: "seed 000",
        schema: .object([
            .required("customer_type", .string(values: ["Business", "Person"])),
            .required("email", .string(pattern: .email)), .optional("external_id"), .optional("name"),
        ]))

    /// The seed's `Direct`, and the types of version 2 (`seeds/001…`, `providers.md` 2.2, appendix B). What the
    /// other types of the first version are called is unknown, so any other type passes with its name alone.
    static let ironIdentification = Contract(
        kind: JobKind("iron.identification.create"), title: "Iron: create an identification",
        source: "seed 001; OpenAPI of July 2026",
        schema: .variants(
            name: "type",
            [
                "Link": .object([.optional("with_edd", .boolean)]), "Token": IronBodies.token,
                "Person": IronBodies.person,
                "Business": IronBodies.business,
            ]))
}
