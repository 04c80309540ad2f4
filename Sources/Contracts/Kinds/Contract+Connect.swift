import JobModel

extension Contract {
    /// `seeds/002…`, `providers.md` 3.2: the four objects are certain, the names inside them are the project's
    /// assumption. This is the one table of them; a real specification replaces it here.
    static let connectIndividual = Contract(
        kind: JobKind("connect.individual.create"), title: "Connect: create an individual customer",
        source: "seed 002; names of leaves are assumptions",
        schema: .object([
            .assumed("email", .string(pattern: .email)), .assumed("phoneNumber", .string(pattern: .phone)),
            .assumed("phoneCountryCode", .string(pattern: .phoneCountryCode)),
            .required(
                "basicData",
                .object([
                    .assumed("firstName"), .assumed("lastName"), .assumed("dateOfBirth"),
                    // The document: "If left blank, this will default to O".
                    .assumed("gender", .string(values: ["M", "F", "O", ""])), .assumed("nationality", country),
                    .assumed("occupation", .string(values: ConnectEnums.occupations)),
                ])),
            .required(
                "taxInformation",
                .object([
                    .assumed("taxNumber", .string(pattern: .code)),
                    .assumed("type", .string(values: ["NATIONAL_INSURANCE_NUMBER", "TAX_CODE"])),
                    .assumed("country", country),
                ])),
            .required(
                "identification", .object([.assumed("code", .string(pattern: .code)), .assumed("country", country)])),
            .required(
                "mainAddress",
                .object([
                    .assumed("street"), .assumed("city"), .assumed("state"),
                    .assumed("zipCode", .string(pattern: .zipCode)),
                    .assumed("country", country),
                ])),
            .assumed("isPep", .boolean), .assumed("pepExplanation"),
        ]))

    private static let country = Schema.string(values: ConnectEnums.countries)
}
