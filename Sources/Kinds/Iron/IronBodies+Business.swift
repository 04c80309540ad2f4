import Contracts

extension IronBodies {
    static let companyInfo = Schema.object([
        .required("address", address),
        .required("company_name"),
        .required("company_type", .string(values: IronEnums.companyType)),
        .required("country", .string(pattern: .country)),
        .required("email", .string(pattern: .email)),
        .required("incorporation_date", .string(pattern: .date)),
        .required("legal_address"),
        .required("postal_address"),
        .required("registration_number"),
        .required("tax_identification_number"),
        .required("website"),
        .optional("alternative_names", .array(.anyString)),
    ])

    static let companyBeneficiary = Schema.object([
        .required("beneficiary_info", .anyOf([personBeneficiaryInfo, businessBeneficiaryInfo])),
        .required("roles", .array(.string(values: IronEnums.companyPrimaryBeneficiaryRole))),
        .optional("attested_at"),
        .optional("attesting_party", .boolean),
        .optional("share_percentage"),
    ])

    static let personBeneficiaryInfo = Schema.object([
        .required("address", address),
        .required("birth_place", birthPlace),
        .required("date_of_birth", .string(pattern: .date)),
        .required("email_address", .string(pattern: .email)),
        .required("first_name"),
        .required("identity", beneficiaryIdentity),
        .required("last_name"),
        .required("phone_number"),
        .required("tax_jurisdiction_country_code", .string(pattern: .country)),
        .optional("middle_name"),
        .optional("proof_of_address", document),
        .optional("tax_identification_number"),
    ])

    static let birthPlace = Schema.object([
        .required("country", .string(pattern: .country)),
        .required("place"),
        .required("state"),
    ])

    static let beneficiaryIdentity = Schema.object([
        .required("identity_country_code", .string(pattern: .country)),
        .required("identity_document_front", document),
        .required("identity_document_type", .string(values: IronEnums.identityDocumentType)),
        .required("nationality", .string(pattern: .country)),
        .optional("identity_document_back", document),
        .optional("identity_number"),
        .optional("selfie", document),
        .optional("selfie_collected_at"),
    ])

    static let companyDocParams = Schema.object([
        .required("country", .string(pattern: .country)),
        .required("file", document),
        .required("type", .string(values: IronEnums.companyDocType)),
    ])

    static let companyData = Schema.object([
        .required("beneficiaries", .array(companyBeneficiary)),
        .required("company_info", companyInfo),
        .required("documents", .array(companyDocParams, maxItems: 4)),
    ])

    static let business = Schema.object([
        .required("company_data", companyData),
        .required("ip_address"),
        .required("phone"),
        .required(
            "questionnaire",
            .variants(
                name: "type", ["Generic": genericBusinessQuestionnaire, "SoleProp": solePropBusinessQuestionnaire])),
    ])

    static let genericBusinessQuestionnaire = Schema.object([
        .required("business_details", businessQuestionnaireBusinessDetails),
        .required("planned_activities", businessQuestionnairePlannedActivities),
        .required("source_of_funds", businessQuestionnaireSourceOfFunds),
    ])

    static let businessQuestionnaireBusinessDetails = Schema.object([
        .required("business_model_description"),
        .required("estimated_annual_revenue", .string(values: IronEnums.businessEstimatedAnnualRevenue)),
        .required("has_licenses_or_registrations", .boolean),
        .required("industry_type", .string(values: IronEnums.businessIndustryType)),
        .required("main_business_countries", .array(.anyString)),
        .required("requires_aml_program", .boolean),
    ])

    static let businessQuestionnairePlannedActivities = Schema.object([
        .required("estimated_monthly_transactions", .string(values: IronEnums.businessEstimatedMonthlyTransactions)),
        .required("estimated_monthly_volume", .string(values: IronEnums.businessEstimatedMonthlyVolume)),
        .required("purpose_and_intended_use", .string(values: IronEnums.businessPurposeAndIntendedUse)),
        .required("sends_funds_on_customer_behalf", .boolean),
        .optional("flow_of_funds_diagram", document),
        .optional("sends_funds_on_customer_behalf_description"),
        .optional("source_of_funds_document", document),
    ])

    static let businessQuestionnaireSourceOfFunds = Schema.object([
        .required("customer_funds_handling_details"),
        .required("source_of_funds", .string(values: IronEnums.revenueSource)),
        .required("source_of_funds_description"),
    ])

    static let solePropBusinessQuestionnaire = Schema.object([
        .required("business_details", solePropBusinessDetails),
        .required("planned_activities", solePropPlannedActivities),
        .required("source_of_funds", solePropSourceOfFunds),
    ])

    static let solePropBusinessDetails = Schema.object([
        .required("business_model_description"),
        .required("estimated_annual_revenue", .string(values: IronEnums.businessEstimatedAnnualRevenue)),
        .required("industry_type", .string(values: IronEnums.businessIndustryType)),
        .required("main_business_countries", .array(.anyString)),
    ])

    static let solePropPlannedActivities = Schema.object([
        .required("estimated_monthly_transactions", .string(values: IronEnums.businessEstimatedMonthlyTransactions)),
        .required("estimated_monthly_volume", .string(values: IronEnums.businessEstimatedMonthlyVolume)),
        .required("purpose_and_intended_use", .string(values: IronEnums.businessPurposeAndIntendedUse)),
    ])

    static let solePropSourceOfFunds = Schema.object([
        .required("source_of_funds", .string(values: IronEnums.revenueSource))
    ])

    /// A company that owns: its own data is checked one level deep only, since the schema would not end.
    static let businessBeneficiaryInfo = Schema.object([
        .required(
            "company_data",
            .object([
                .required("company_info", companyInfo), .required("beneficiaries", .array(.object([]))),
                .required("documents", .array(companyDocParams, maxItems: 4)),
            ]))
    ])
}
