import Kinds

/// One thing that goes wrong.
enum Fault: String, CaseIterable {
    // Workers.
    case kill = "kill"
    case killBeforeClaimCommits = "kill-before-claim-commits"
    case killAfterClaim = "kill-after-claim"
    case killBetweenSendAndAnswer = "kill-between-send-and-answer"
    case killBetweenMarkAndAnswer = "kill-between-mark-and-answer"
    case killBeforeCompletionCommits = "kill-before-completion-commits"
    case killAfterCompletion = "kill-after-completion"
    case limitMemory = "limit-memory"
    case killBeforeEffect = "kill-before-effect"
    case stall = "stall"
    case stallBeforeEffect = "stall-before-effect"
    case freezeInBody = "freeze-in-body"
    case terminate = "terminate"
    case wrongClock = "wrong-clock"
    case timeZone = "time-zone"
    case silentHost = "silent-host"
    case fullLog = "full-log"
    case closedLog = "closed-log"
    // The database.
    case restartFast = "restart-fast"
    case restartImmediate = "restart-immediate"
    case failOver = "fail-over"
    case freezePrimary = "freeze-primary"
    case endBackends = "end-backends"
    case useUpConnections = "use-up-connections"
    case cutLink = "cut-link"
    case stallLink = "stall-link"
    case busyErrors = "busy-errors"
    case diskFull = "disk-full"
    case lockTable = "lock-table"
    case openTransaction = "open-transaction"
    case moveClock = "move-clock"
    // Callers that keep a transaction open while a worker dies.
    case holdOrderKey = "hold-order-key"
    case holdDependents = "hold-dependents"
    case holdJobs = "hold-jobs"
    case holdProviders = "hold-providers"
    // Providers.
    case loseAnswers = "lose-answers"
    case breakAnswers = "break-answers"
    case slowAnswers = "slow-answers"
    case lateEffects = "late-effects"
    case serverErrors = "server-errors"
    case throttles = "throttles"
    case rateLimits = "rate-limits"
    case codings = "codings"
    case strays = "strays"
    case wrongIDs = "wrong-ids"
    case refuseCredentials = "refuse-credentials"
    case forgetKeys = "forget-keys"
    case goAway = "go-away"
    case wrongCertificate = "wrong-certificate"
    // Callers and operators.
    case cancels = "cancels"
    case operators = "operators"
    case pauses = "pauses"

    /// Whether its moment matters so much that one is too few.
    var comesTwice: Bool { rawValue.hasPrefix("kill") || self == .operators || self == .lateEffects }

    /// Whether workers cannot take over meanwhile: the database is away, or says no, or its clock jumps.
    var stopsTakeOver: Bool {
        switch self {
        case .restartFast, .restartImmediate, .failOver, .freezePrimary, .endBackends, .useUpConnections, .cutLink,
            .stallLink,
            .busyErrors, .diskFull, .lockTable, .moveClock, .killBeforeClaimCommits, .killBeforeCompletionCommits:
            true
        default: false
        }
    }

    /// Whether it befalls only calls over TLS.
    var needsFront: Bool { self == .goAway || self == .wrongCertificate }

    /// The simulator's rules for the faults of providers; empty for the others.
    var rules: [String] {
        switch self {
        case .loseAnswers:
            [
                #"{"method": "POST", "every": 3, "fault": "lost_answer"}"#,
                #"{"method": "POST", "every": 5, "fault": "half_body"}"#,
                #"{"every": 7, "fault": "cut"}"#,
            ]
        case .breakAnswers:
            [
                #"{"every": 5, "fault": "wrong_content_type"}"#, #"{"every": 7, "fault": "redirect"}"#,
                #"{"method": "POST", "every": 6, "fault": "no_id"}"#, #"{"every": 11, "fault": "endless_body"}"#,
            ]
        case .slowAnswers:
            [
                #"{"every": 4, "fault": "hang", "seconds": 4}"#,
                #"{"method": "POST", "every": 5, "fault": "delay", "milliseconds": 3000}"#,
                #"{"every": 9, "fault": "slow_body", "milliseconds": 20}"#,
            ]
        case .lateEffects:
            // Later than a call may take; the latest little before the effect horizon, which counts from the end of the call.
            [
                #"{"method": "POST", "every": 3, "fault": "late_effect", "milliseconds": 10500, "cut_after": 300}"#,
                #"{"provider": "axisfi", "method": "POST", "every": 3, "fault": "late_effect", "milliseconds": 12500}"#,
                #"{"provider": "connect", "method": "POST", "every": 4, "fault": "late_effect", "milliseconds": 2500}"#,
                #"{"provider": "iron", "method": "POST", "every": 4, "fault": "late_effect", "milliseconds": 12500}"#,
                #"{"provider": "iron", "method": "POST", "every": 7, "fault": "late_effect", "milliseconds": 1500}"#,
                #"{"provider": "juicyway", "method": "POST", "every": 4, "fault": "late_effect", "milliseconds": 6000}"#,
            ]
        case .killBeforeEffect, .stallBeforeEffect:
            [#"{"method": "POST", "fault": "late_effect", "milliseconds": 12500}"#]
        case .serverErrors:
            [
                #"{"every": 3, "fault": "status", "status": 503}"#, #"{"every": 4, "fault": "status", "status": 500}"#,
                #"{"method": "POST", "every": 17, "fault": "stored_error"}"#,
            ]
        case .throttles:
            [
                #"{"provider": "iron", "every": 9, "fault": "throttle", "seconds": 1}"#,
                #"{"provider": "juicyway", "every": 9, "fault": "throttle", "seconds": 2, "as_date": true}"#,
                #"{"every": 12, "fault": "throttle"}"#,
            ]
        case .rateLimits: [#"{"every": 1, "fault": "rate_limit", "per_second": 3}"#]
        case .codings:
            [
                #"{"every": 3, "fault": "gzip"}"#, #"{"every": 5, "fault": "broken_gzip"}"#,
                #"{"every": 7, "fault": "unknown_coding"}"#, #"{"every": 4, "fault": "byte_order_mark"}"#,
                #"{"every": 4, "fault": "latin1"}"#,
            ]
        case .strays:
            [
                #"{"every": 3, "fault": "stray", "milliseconds": 5}"#, #"{"every": 4, "fault": "close_idle"}"#,
                #"{"method": "GET", "every": 2, "fault": "null_data"}"#,
                #"{"method": "GET", "every": 2, "fault": "paged", "pages": 2}"#,
            ]
        case .wrongIDs:
            [
                #"{"method": "POST", "every": 4, "fault": "wrong_id"}"#,
                #"{"method": "POST", "every": 7, "fault": "duplicate_id"}"#,
            ]
        case .refuseCredentials: [#"{"first": 2, "fault": "unauthorized"}"#]
        case .killBetweenSendAndAnswer, .killBetweenMarkAndAnswer:
            [#"{"method": "POST", "fault": "delay", "milliseconds": 700}"#]
        case .forgetKeys:
            Registry.shipped.keyed.map { #"{"provider": "\#($0)", "first": 1, "fault": "forgotten_keys"}"# }
        default: []
        }
    }
}
