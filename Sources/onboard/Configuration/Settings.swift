import Configuration
import Foundation

/// The settings of this process: environment variables over the file given by `--config`.
///
/// A variable `NAME_FILE` names a file that holds `NAME`, for secrets. Every mistake is a `Failure` with
/// exit code 78 that names the variable.
struct Settings {
    private let reader: ConfigReader

    /// Reads the environment, and `file` if one is given.
    init(file: String? = nil) throws(Failure) {
        var values: [String: String] = [:]
        if let file {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw Failure(.wrongConfiguration, "cannot read the configuration file \(file)")
            }
            do {
                values = try ConfigurationFile(text).values
            } catch {
                throw Failure(.wrongConfiguration, "\(file), line \(error.line): \(error.reason)")
            }
            // These are libpq's to read, and it reads the environment alone.
            for (name, value) in values where name.hasPrefix("PG") { setenv(name, value, 0) }
        }
        values.merge(ProcessInfo.processInfo.environment) { $1 }
        if let fault = Variables.fault(in: values) { throw Failure(.wrongConfiguration, fault) }
        reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: values))
    }

    /// The text of a variable, or of the file that its `_FILE` names; nil when neither is set.
    func text(_ name: String, isSecret: Bool = false) throws(Failure) -> String? {
        if let value = read(name, isSecret: isSecret), !value.isEmpty { return value }
        guard let path = read(name + "_FILE", isSecret: false) else { return nil }
        guard let value = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw Failure(.wrongConfiguration, "cannot read the file that \(name)_FILE names: \(path)")
        }
        let text = value.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !text.isEmpty else {
            throw Failure(.wrongConfiguration, "the file that \(name)_FILE names is empty: \(path)")
        }
        return text
    }

    /// Whether a variable's text is in a file, and may change there.
    func isInFile(_ name: String) -> Bool {
        (read(name, isSecret: true) ?? "").isEmpty && read(name + "_FILE", isSecret: false) != nil
    }

    /// A value that `parse` understands, or `fallback` when the variable is not set.
    func value<T>(
        _ name: String, default fallback: T, form: String, _ parse: (String) -> T?
    ) throws(Failure) -> T {
        guard let text = try text(name) else { return fallback }
        guard let value = parse(text) else {
            throw Failure(.wrongConfiguration, "\(name) is '\(text)'; it must be \(form)")
        }
        return value
    }

    /// A duration such as `500ms`, `30s`, `5m`, `24h`, not zero and at most a day.
    func duration(_ name: String, default fallback: Duration) throws(Failure) -> Duration {
        try value(name, default: fallback, form: "a duration such as 500ms, 30s, 5m or 24h, at most 24h") {
            Quantity.duration($0).flatMap { $0 > .zero && $0 <= .seconds(86_400) ? $0 : nil }
        }
    }

    private func read(_ name: String, isSecret: Bool) -> String? {
        reader.string(forKey: ConfigKey(name.lowercased().split(separator: "_").map(String.init)), isSecret: isSecret)
    }
}
