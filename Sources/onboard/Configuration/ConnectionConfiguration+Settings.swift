import Postgres

extension ConnectionConfiguration {
    /// `ONBOARD_DATABASE_URL`; libpq's own variables where it is not set.
    init(_ settings: Settings, applicationName: String) throws(Failure) {
        self.init(
            connectionString: try settings.text("ONBOARD_DATABASE_URL", isSecret: true) ?? "",
            applicationName: applicationName)
    }
}
