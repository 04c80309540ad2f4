import Contracts

/// The bodies of Iron's identifications, version 2 (Iron's OpenAPI document, "Iron API - Sandbox" 1.0-16988).
enum IronBodies {
    /// Base64 of a document of at most 10 MB.
    static let document = Schema.string(minLength: 1, maxLength: 13_981_016)

    static let address = Schema.object([
        .required("city"),
        .required("country", .string(pattern: .country)),
        .required("street_1"),
        .required("zip_code"),
        .optional("state"),
        .optional("street_2"),
    ])

    static let identityDocument = Schema.object([
        .required("file", document),
        .required("name"),
        .required("type", .string(values: IronEnums.documentType)),
    ])

    static let personIdentity = Schema.object([
        .required("identity_country_code", .string(pattern: .country)),
        .required("identity_document_front", document),
        .required("identity_document_type", .string(values: IronEnums.identityDocumentType)),
        .required("ip_address"),
        .required("nationality", .string(pattern: .country)),
        .required("selfie", document),
        .required("selfie_collected_at"),
        .optional("identity_document_back", document),
        .optional("identity_number"),
    ])

    static let kycQuestionnaire = Schema.object([
        .required("employment_status", .string(values: IronEnums.employmentStatus)),
        .required(
            "expected_monthly_transaction_count",
            .string(values: IronEnums.personProfileExpectedMonthlyTransactionCount)),
        .required(
            "expected_monthly_transaction_volume",
            .string(values: IronEnums.personProfileExpectedMonthlyTransactionVolumeV2)),
        .required("source_of_wealth", .string(values: IronEnums.personProfileSourceOfWealth)),
        .required("yearly_gross_income", .string(values: IronEnums.personProfileYearlyGrossIncome)),
    ])

    static let eddQuestionnaire = Schema.object([
        .required("approximate_net_worth", .string(values: IronEnums.approximateNetWorth)),
        .required("occupation", .string(values: IronEnums.occupation)),
        .required("source_of_funds_proof", document),
    ])

    static let token = Schema.object([
        .required("intended_use", .string(values: IronEnums.intendedUse)),
        .required("token"),
        .optional("edd_questionnaire", eddQuestionnaire),
        .optional("ip_address"),
        .optional("kyc_questionnaire", kycQuestionnaire),
    ])

    static let person = Schema.object([
        .required("address", address),
        .required("consent_collected_at"),
        .required("date_of_birth", .string(pattern: .date)),
        .required("email_address", .string(pattern: .email)),
        .required("first_name"),
        .required("full_name"),
        .required("identity", personIdentity),
        .required("intended_use", .string(values: IronEnums.intendedUse)),
        .required("kyc_questionnaire", kycQuestionnaire),
        .required("last_name"),
        .required("phone_number"),
        .required("sharing_consent", .boolean),
        .optional("documents", .array(identityDocument)),
        .optional("edd_questionnaire", eddQuestionnaire),
        .optional("tax_identification_number"),
    ])
}
