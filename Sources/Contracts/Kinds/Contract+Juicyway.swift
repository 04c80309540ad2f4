import JobModel

extension Contract {
    /// `seeds/004…`, `providers.md` 5.2. Which letters a name may have is left to the provider: people's names
    /// have more of them than any list.
    static let juicywayCustomer = Contract(
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
