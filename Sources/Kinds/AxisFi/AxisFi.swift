import Contracts
import JobModel

extension ProviderDefinition {
    /// AxisFi: `POST /api/customers/create` (https://docs.axisfi.net). The caller's own `partner_customer_id` is the natural
    /// key that the look-up asks for. What is answered to a duplicate, and to a look-up that finds nothing, and whether
    /// answers are wrapped, is not documented.
    static let axisFi = ProviderDefinition(
        "axisfi",
        credentials: [Credential(header: "X-API-Key"), Credential(header: "X-API-Secret", secret: "API_SECRET")],
        sendsWebhooks: true,
        simulation: ProviderSimulation(error: ["message": "{message}"]),
        kinds: [
            KindDefinition(
                contract: customer,
                example: [
                    "partner_customer_id": "partner-customer-id-{n}",
                    "business_details": [
                        "business_name_english": "{mark} Ltd", "website": "https://www.example.com",
                        "business_identifier_number": "B{n}", "business_identifier_country_code": "US",
                        "business_identifier_document_list": ["file-1"],
                    ],
                    "registration_address": [
                        "registration_address_line1": "{mark} Road", "registration_address_city": "{mark}",
                        "registration_address_state": "NY", "registration_address_postcode": "10001",
                        "registration_address_country_code": "US",
                    ],
                ],
                path: "/api/customers/create",
                record: RecordPlace(wrapper: "data", isTolerant: true, id: "customer_id"),
                identity: [.payload("partner_customer_id"), .payload("primary_contact", "contact_email")],
                statuses: [
                    "pending", "active", "rejected", "suspended", "Processing", "Succeeded", "Failed", "Suspended",
                ],
                lookUp: LookUp(
                    "/api/customers/detail?partner_customer_id={payload.partner_customer_id}",
                    key: "partner_customer_id"),
                simulation: KindSimulation(
                    status: 200, record: ["customer_id": "cus_{hex}", "status": "pending", "created_at": "{at}"],
                    echoesPayload: true, conflict: "partner_customer_id already exists"))
        ])

    /// Which leaves are required is unknown: types are checked where they are there.
    private static let customer = Contract(
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
