import Postgres
import Worker

/// An end that is not a success: one sentence that says what to do, and the exit code.
struct Failure: Error {
    /// The exit codes that the README lists.
    enum Code: Int32 {
        case answerIsNo = 1
        case outOfReach = 69
        case bug = 70
        case outputFailed = 74
        case wrongConfiguration = 78
    }

    let code: Code
    let sentence: String

    init(_ code: Code, _ sentence: String) {
        self.code = code
        self.sentence = sentence.split(whereSeparator: \.isNewline).joined(separator: " ").escapingControls
    }

    /// What the loss of the database for good means to the person who reads the log.
    init(_ end: DatabaseGivenUp) {
        let failure = Failure(end.reason)
        self.init(failure.code, "gave up after \(end.duration.components.seconds) s: \(failure.sentence)")
    }

    /// What an error of the database means to the person at the terminal.
    init(_ error: PostgresError) {
        switch error.code {
        case .connectionFailed where error.sqlState?.isClass("28") == true || error.sqlState?.isClass("3D") == true:
            self.init(
                .wrongConfiguration, "the database refuses the login: \(error.message); check ONBOARD_DATABASE_URL")
        case .server
        where error.sqlState == .undefinedTable || error.sqlState == .undefinedSchema
            || error.sqlState == .undefinedFunction:
            self.init(.wrongConfiguration, "the database has no current onboarding schema: run `onboard migrate`")
        case .server where error.sqlState == .insufficientPrivilege && error.message.hasPrefix("onboarding: "):
            self.init(.wrongConfiguration, String(error.message.dropFirst("onboarding: ".count)))
        case .server where error.sqlState == .insufficientPrivilege:
            self.init(.wrongConfiguration, "\(error.message); give the login the role that README's \"Run it\" names")
        case .server where error.sqlState?.code == "25006":
            self.init(
                .outOfReach,
                "the database takes no writes: it is a standby, or default_transaction_read_only is on; check ONBOARD_DATABASE_URL"
            )
        case .server where error.sqlState == .lockNotAvailable && error.message.hasPrefix("onboarding: "):
            self.init(.outOfReach, String(error.message.dropFirst("onboarding: ".count)))
        case .server where error.message.hasPrefix("onboarding: "):
            self.init(.answerIsNo, String(error.message.dropFirst("onboarding: ".count)))
        case .server where error.sqlState?.isClass("22") == true:
            self.init(.answerIsNo, "the database cannot take this value: \(error.message)")
        case .server:
            self.init(.bug, "the database says: \(error.description)")
        case .invalidConnectionString, .serverTooOld, .wrongEncoding:
            self.init(.wrongConfiguration, "\(error.message); check ONBOARD_DATABASE_URL")
        default:
            self.init(.outOfReach, "\(error.message); check ONBOARD_DATABASE_URL and that the server is up")
        }
    }
}
