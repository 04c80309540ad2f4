import Contracts
import JobModel
import Kinds

extension ProviderDefinition {
    /// A provider that the program does not ship: merchants, which are looked up, and their outlets, which have a key.
    static let tangerine: ProviderDefinition = {
        var limits = Limits()
        limits.maxInFlight = 7
        limits.effectHorizon = .seconds(90)
        return ProviderDefinition(
            "tangerine",
            credentials: [Credential(header: "X-Tangerine-Token", secret: "TOKEN", schemeSetting: "TOKEN_SCHEME")],
            limits: limits,
            simulation: ProviderSimulation(
                basePath: "/gateway", unauthorizedStatus: 403,
                error: ["error": ["code": "{code}", "message": "{message}"], "request_id": "{id}"]),
            kinds: [merchant, outlet])
    }()

    private static let merchant = KindDefinition(
        contract: Contract(
            kind: JobKind("tangerine.merchant.create"), title: "Tangerine: create a merchant", source: "a test",
            schema: .object([
                .required("merchant_ref", .string(minLength: 3)), .required("trading_licence"),
                .optional("branding", .object([.optional("logo_colour")])),
            ])),
        example: ["merchant_ref": "merchant-{n}", "trading_licence": "{mark}"],
        path: "/v2/merchants", record: RecordPlace(wrapper: "merchant", id: "merchant_no"),
        identity: [.payload("merchant_ref")], statuses: ["Dormant"],
        lookUp: LookUp("/v2/merchants/by-ref/{payload.merchant_ref}", key: "merchant_ref"),
        simulation: KindSimulation(
            record: ["merchant_no": "m-{hex}", "status": "Dormant"], echoesPayload: true,
            conflict: "trading_licence of Lovelace already exists"))

    private static let outlet = KindDefinition(
        contract: Contract(
            kind: JobKind("tangerine.outlet.create"), title: "Tangerine: create an outlet", source: "a test",
            schema: .object([.required("street")])),
        example: ["street": "{mark} Road {n}"],
        path: "/v2/merchants/{merchant_no}/outlets",
        key: IdempotencyKey(header: "X-Once", life: .seconds(3600), isRequired: true),
        parent: KindDefinition.Parent(kind: "tangerine.merchant.create", parameter: "merchant_no"),
        simulation: KindSimulation(record: ["id": "{id}", "merchant_no": "{merchant_no}"]))
}
