import Contracts
import JobModel

extension ProviderDefinition {
    /// The Connect gateway: `POST /customers/individual`. No key, no natural key, and a list that proves nothing: a lost
    /// answer stays unknown. The header of the API key is an assumption.
    static let connect = ProviderDefinition(
        "connect",
        credentials: [Credential(header: "X-API-Key", headerSetting: "AUTH_HEADER")],
        simulation: ProviderSimulation(
            unauthorizedStatus: 403, error: ["traceId": "{id}", "message": "{message}"]),
        kinds: [
            KindDefinition(
                contract: individual,
                example: [
                    "email": "{address}",
                    "basicData": ["firstName": "{mark}", "lastName": "{mark}son", "gender": "F"],
                    "taxInformation": ["taxNumber": "{mark}-{n}", "type": "TAX_CODE", "country": "DE"],
                    "identification": ["code": "{mark}-{n}", "country": "DE"],
                    "mainAddress": [
                        "street": "{mark} Street", "city": "{mark}", "zipCode": "10115", "country": "DE",
                    ],
                ],
                path: "/customers/individual", record: RecordPlace(wrapper: "data"), identity: [.payload("email")],
                simulation: KindSimulation(
                    record: ["id": "{id}"], envelope: ["traceId": "{id}", "message": "created"]))
        ])

    /// The four objects are certain, the names inside them are the project's assumption. This is the one table of them; a
    /// real specification replaces it here.
    private static let individual = Contract(
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
