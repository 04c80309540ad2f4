import Foundation
import TestKit

/// What is odd about the place in which a worker runs.
enum Surroundings: Sendable {
    case usual
    /// Its clock is wrong by so much, such as `+1h`; needs libfaketime.
    case clock(String)
    /// It and its sessions have another time zone.
    case timeZone(String)
    /// The first host of its connection string accepts and says nothing.
    case silentHost
    /// Its log is on a disk that is full.
    case fullLog
    /// Whoever read its log has gone, or its output was closed from the start.
    case closedLog(hasReader: Bool)

    /// Zones on both sides of UTC, with half hours, and with changes of the clock at the turn of a month.
    static let timeZones = [
        "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns",
        "Pacific/Kiritimati", "Australia/Lord_Howe", "America/Asuncion", "Africa/Cairo", "Pacific/Pago_Pago",
    ]

    /// What it adds to a worker's environment.
    var environment: [String: String] {
        switch self {
        case .clock(let offset):
            guard let library = Stage.fakeTimeLibrary else { return [:] }
            return ["LD_PRELOAD": library, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"]
        case .timeZone(let zone): return ["TZ": zone, "PGTZ": zone]
        case .usual, .silentHost, .fullLog, .closedLog: return [:]
        }
    }

    /// The worker, not yet started.
    func worker(_ environment: [String: String]) -> Program {
        let redirection: String
        switch self {
        case .usual, .clock, .timeZone, .silentHost:
            return Program("onboard", ["work"], environment: environment)
        case .fullLog: redirection = "2>/dev/full"
        // It reads a line and goes.
        case .closedLog(true): redirection = "2> >(exec head -n 1 >/dev/null)"
        case .closedLog(false): redirection = ">&- 2>&-"
        }
        // The shell becomes the worker, so that signals reach it.
        return Program(
            at: URL(fileURLWithPath: "/usr/bin/env"),
            [
                "bash", "-c", "exec \"$0\" work \(redirection)",
                Program.productsFolder.appendingPathComponent("onboard").path,
            ],
            environment: environment)
    }
}
