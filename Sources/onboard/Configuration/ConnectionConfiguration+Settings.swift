import Postgres

extension ConnectionConfiguration {
    /// `ONBOARD_DATABASE_URL`; libpq's own variables where it is not set.
    ///
    /// - Parameter changed: called when the file that `ONBOARD_DATABASE_URL_FILE` names has come to hold something else.
    init(
        _ settings: Settings, applicationName: String, changed: @escaping @Sendable () -> Void = {}
    ) throws(Failure) {
        let name = "ONBOARD_DATABASE_URL"
        let url = try settings.text(name, isSecret: true) ?? ""
        self.init(connectionString: url, applicationName: applicationName)
        guard settings.isInFile(name) else { return }
        source = ConnectionStringSource(url, changed: changed) {
            // A file that is just being replaced, or holds no connection string, is read again later.
            guard let text = try? settings.text(name, isSecret: true), (try? ConnectionString(parsing: text)) != nil
            else {
                return nil
            }
            return text
        }
    }
}
