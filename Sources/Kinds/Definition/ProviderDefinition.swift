package import Contracts
package import JobModel

/// Everything that is one provider's own: its address, its credentials, its limits and its kinds.
package struct ProviderDefinition: Sendable {
    /// The provider's name.
    package let name: ProviderName
    /// The address where none is set; nil where one has to be.
    package let defaultURL: String?
    /// What proves who we are; the first one's secret turns the provider on.
    package let credentials: [Credential]
    /// Whether it sends webhooks, which are signed with secrets of their own.
    package let sendsWebhooks: Bool
    /// The limits of a new installation; operators change them.
    package let limits: Limits
    /// How the simulator plays it.
    package let simulation: ProviderSimulation
    /// What it makes.
    package let kinds: [KindDefinition]

    /// A header that proves who we are, and the settings that it is made of.
    package struct Credential: Sendable {
        /// The header's name.
        package let header: String
        /// The setting with the secret.
        package let secret: String
        /// The setting that gives the header another name, where the documents leave it open.
        package let headerSetting: String?
        /// The setting with a scheme to put before the secret, where the documents leave it open.
        package let schemeSetting: String?

        /// A header with an API key in it, unless said otherwise.
        package init(
            header: String, secret: String = "API_KEY", headerSetting: String? = nil, schemeSetting: String? = nil
        ) {
            self.header = header
            self.secret = secret
            self.headerSetting = headerSetting
            self.schemeSetting = schemeSetting
        }
    }

    /// What the provider's row begins with.
    package struct Limits: Sendable {
        /// Calls in flight; nil: any number.
        package var maxInFlight: Int?
        /// Calls a second; nil: any number.
        package var ratePerSecond: Double?
        /// Calls at once under the rate.
        package var burst: Int?
        /// How long after its last byte a request may have its effect.
        package var effectHorizon: Duration = .seconds(120)

        /// No limit, and two minutes.
        package init() {}
    }

    /// Takes what every provider has; the rest where one differs.
    package init(
        _ name: String, defaultURL: String? = nil, credentials: [Credential], sendsWebhooks: Bool = false,
        limits: Limits = Limits(), simulation: ProviderSimulation, kinds: [KindDefinition]
    ) {
        self.name = ProviderName(name)
        self.defaultURL = defaultURL
        self.credentials = credentials
        self.sendsWebhooks = sendsWebhooks
        self.limits = limits
        self.simulation = simulation
        self.kinds = kinds
    }

    /// The name of one of its settings.
    package func setting(_ name: String) -> String { "\(self.name.value.uppercased())_\(name)" }

    /// The names of all its settings, each without the program's prefix.
    package var settings: [String] {
        let names = credentials.flatMap { [$0.secret, $0.headerSetting, $0.schemeSetting].compactMap(\.self) }
        return (["BASE_URL"] + names + (sendsWebhooks ? ["WEBHOOK_SECRETS"] : [])).map(setting)
    }
}

/// How the simulator plays a provider, beyond what its kinds say.
package struct ProviderSimulation: Sendable {
    /// What the base URL has after the provider's name, such as `/api`.
    package let basePath: String
    /// The status of refused credentials.
    package let unauthorizedStatus: Int
    /// The body of an error, as a template with `{message}`, `{code}` and the exchange's `{id}`.
    package let error: JSONValue
    /// The body of an error of 5xx.
    package let failure: JSONValue

    /// Takes the body of an error; the rest where a provider differs.
    package init(basePath: String = "", unauthorizedStatus: Int = 401, error: JSONValue, failure: JSONValue? = nil) {
        self.basePath = basePath
        self.unauthorizedStatus = unauthorizedStatus
        self.error = error
        self.failure = failure ?? error
    }
}
