/// What people do to jobs in the middle of it all.
struct Operators: Sendable {
    let stage: Stage

    /// Operators withdraw jobs at every step; gives how many at each.
    func cancelSome() async throws -> [(String, Int)] {
        try await stage.desk.rows("SELECT step, count::text FROM chaos.cancel_some()", columns: 2).map {
            ($0[0] ?? "", Int($0[1] ?? "") ?? 0)
        }
    }

    /// Operators let failed and cancelled jobs run once more, some of them corrected.
    func retrySome() async throws {
        _ = try await stage.desk.count("SELECT chaos.retry_some(20)")
    }

    /// Operators say what became of uncertain jobs, and say the truth.
    ///
    /// - Parameter onlyInTheWay: only of those that others wait for.
    func judge(onlyInTheWay: Bool = false) async throws {
        // What was uncertain well before the ledger was read, and is not in it, will not come any more.
        let moment = try await stage.desk.rows("SELECT clock_timestamp()::text")[0][0] ?? "-infinity"
        try await stage.copyLedger()
        _ = try await stage.desk.count("SELECT chaos.resolve_some(20, '\(moment)', \(onlyInTheWay))")
    }
}
