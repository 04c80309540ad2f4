import JobModel

extension Contract {
    /// `seeds/003…`, `providers.md` 4.2. Which leaves are required is unknown: types are checked where they are there.
    static let axisFiCustomer = Contract(
        kind: JobKind("axisfi.customer.create"), title: "AxisFi: create a business customer", source: "seed 003",
        schema: .object([
            .required("partner_customer_id", .string(minLength: 20, maxLength: 64)),
            .required(
                "business_details",
                .object([
                    .optional("business_name_english"), .optional("business_type"), .optional("website"),
                    .optional("business_identifier_type"), .optional("business_identifier_number"),
                    .optional("business_identifier_country_code", .string(pattern: .country)),
                    .optional("business_identifier_document_list", .array(.anyString)), .optional("business_name"),
                    .optional("business_identifier_start_date"), .optional("business_identifier_expiry_date"),
                ])),
            .required(
                "registration_address",
                .object([
                    .optional("registration_address_line1"), .optional("registration_address_city"),
                    .optional("registration_address_state"), .optional("registration_address_postcode"),
                    .optional("registration_address_country_code", .string(pattern: .country)),
                ])),
            .optional(
                "account_usage",
                .object([
                    .optional("operating_country", .string(pattern: .country)), .optional("goods_service_description"),
                    .optional("industry_category_code"), .optional("account_usage_product_reference"),
                    .optional("estimated_monthly_revenue_currency"),
                    .optional("estimated_monthly_revenue_amount", .number),
                ])),
            .optional(
                "primary_contact",
                .object([.optional("contact_phone"), .optional("contact_email", .string(pattern: .email))])),
            .optional("business_person_list", .array(person)),
        ]))

    private static let person = Schema.object([
        .optional(
            "basic_info",
            .object([
                .optional("first_name_english"), .optional("last_name_english"), .optional("birth_date"),
                .optional("nationality", .string(pattern: .country)), .optional("role_type"), .optional("first_name"),
                .optional("last_name"),
            ])),
        .optional(
            "residential_address",
            .object([
                .optional("residential_address_line1"), .optional("residential_address_city"),
                .optional("residential_address_postcode"),
                .optional("residential_address_country_code", .string(pattern: .country)),
                .optional("residential_address_state"),
            ])),
        .optional(
            "identification",
            .object([
                .optional("id_type"), .optional("id_number"),
                .optional("id_issuing_country_code", .string(pattern: .country)),
                .optional("id_expiration_date"), .optional("id_issue_date"), .optional("id_document_front_file_id"),
                .optional("id_document_back_file_id"),
            ])),
    ])
}
