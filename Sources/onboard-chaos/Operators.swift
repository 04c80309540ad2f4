/// What people do to jobs in the middle of it all.
struct Operators: Sendable {
    let stage: Stage

    /// Operators withdraw jobs in whatever state they are.
    func cancelSome() async throws {
        try await stage.desk.run(
            """
            DO $$ DECLARE j bigint; BEGIN
                FOR j IN SELECT id FROM onboarding.jobs WHERE state IN ('available', 'running', 'blocked')
                    ORDER BY random() LIMIT 5
                LOOP
                    BEGIN PERFORM onboarding.cancel(j, 'campaign'); EXCEPTION WHEN OTHERS THEN NULL; END;
                END LOOP;
            END $$
            """)
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
