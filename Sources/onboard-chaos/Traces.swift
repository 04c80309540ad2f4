import Foundation
import ProtocolModel

/// Checks each job's real history against the model of the protocol.
struct Traces: Sendable {
    let stage: Stage

    /// Everything that is written down about each job, in its order; what happened at one moment, in the order of causes.
    private static let events = """
        WITH ends AS (
            -- The calls that may have had an effect, by when their last byte can have left.
            SELECT a.job_id, a.finished_at AS at FROM onboarding.attempts a JOIN chaos.protections p ON p.job_id = a.job_id
            WHERE a.step = 'create' AND (a.outcome IN ('unavailable', 'ambiguous')
                OR (a.outcome = 'lost' AND (a.sent_at IS NOT NULL OR p.has_key))
                OR (a.outcome = 'throttled' AND a.http_status = 503) OR (a.late AND a.outcome = 'succeeded'))
        ), events AS (
            SELECT j.id AS job_id, j.created_at AS at, 0 AS rank, 'enqueued' AS event, NULL::bigint AS token,
                NULL AS outcome, t.to_state AS state, NULL AS step
            FROM onboarding.jobs j
            JOIN onboarding.transitions t ON t.job_id = j.id AND t.from_state IS NULL
            UNION ALL
            SELECT a.job_id, a.claimed_at, 1, 'horizon', NULL, NULL, NULL, NULL FROM onboarding.attempts a
            WHERE NOT a.late AND (
                SELECT max(e.at) FROM ends e WHERE e.job_id = a.job_id AND e.at <= a.claimed_at)
                < a.claimed_at + interval '50 ms' - (
                    SELECT p.effect_horizon FROM onboarding.providers p
                    JOIN onboarding.jobs j ON j.id = a.job_id WHERE p.provider = j.provider)
            UNION ALL
            SELECT job_id, claimed_at, 2, 'claimed', claim_token, NULL, NULL, step FROM onboarding.attempts WHERE NOT late
            UNION ALL
            SELECT job_id, greatest(sent_at, claimed_at), 3, 'sent', claim_token, NULL, NULL, NULL FROM onboarding.attempts
            WHERE NOT late AND step = 'create' AND sent_at IS NOT NULL
            UNION ALL
            SELECT job_id, finished_at, 4, CASE WHEN outcome = 'lost' THEN 'taken' ELSE 'finished' END, claim_token,
                CASE WHEN outcome = 'throttled' AND http_status = 503 THEN 'busy' ELSE outcome END, next_state,
                CASE WHEN outcome = 'lost' THEN step ELSE next_step END
            FROM onboarding.attempts WHERE NOT late
            UNION ALL
            SELECT a.job_id, a.finished_at, 5, 'late', a.claim_token, (a.provider_id IS NOT NULL)::text,
                CASE WHEN EXISTS (SELECT 1 FROM ends e WHERE e.job_id = a.job_id AND e.at = a.finished_at)
                    THEN 'reached' END, NULL
            FROM onboarding.attempts a WHERE a.late
            UNION ALL
            SELECT job_id, at, 6, CASE
                WHEN from_state = to_state THEN 'cancel_requested'
                WHEN from_state = 'blocked' AND to_state = 'available' THEN 'unblocked'
                WHEN to_state = 'cancelled' AND from_state IN ('blocked', 'available') THEN 'cancelled'
                WHEN from_state = 'available' AND to_state = 'failed' THEN 'expired'
                WHEN from_state = 'uncertain' AND reason LIKE 'late evidence%' THEN 'proved_late'
                WHEN from_state = 'uncertain' THEN 'resolved'
                ELSE 'retried' END, NULL, NULL, to_state, NULL
            FROM onboarding.state_changes)
        SELECT e.job_id::text, p.has_key::text, p.can_look_up::text, e.event, e.token::text, e.outcome, e.state, e.step
        FROM events e JOIN chaos.protections p ON p.job_id = e.job_id
        -- Times of a clock that was wrong say nothing of an order.
        WHERE e.job_id NOT IN (SELECT s.job_id FROM chaos.astray s)
        ORDER BY e.job_id, e.at, e.rank
        """

    /// The jobs whose history is no path of the model, with the first event that is not.
    func compare() async throws -> (count: Int, violations: [(job: String?, problem: String)]) {
        let rows = try await stage.desk.rows(Self.events, columns: 8, timeout: .seconds(300))
        var violations: [(job: String?, problem: String)] = []
        var count = 0
        for history in rows.chunked(by: { $0[0] == $1[0] }) {
            guard let first = history.first else { continue }
            count += 1
            let events = history.compactMap { Self.event($0) }
            guard events.count == history.count else {
                violations.append((first[0], "an event that the model does not know"))
                continue
            }
            guard let finding = TraceChecker.check(events, policy: Self.policy(first)) else { continue }
            violations.append((first[0], "event \(finding.index + 1), \(events[finding.index]): \(finding.fault)"))
        }
        return (count, violations)
    }

    private static func policy(_ row: [String?]) -> Policy {
        row[1] == "true" ? row[2] == "true" ? .keyed : .keyedBlind : row[2] == "true" ? .lookUp : .neither
    }

    private static func event(_ row: [String?]) -> JobEvent? {
        let token = row[4].flatMap { Int($0) } ?? 0
        let state = row[6].flatMap(RowState.init(rawValue:))
        let step: CallStep = row[7] == "look_up" ? .lookUp : .create
        switch (row[3], state) {
        case ("enqueued", let state?): return .enqueued(state)
        case ("claimed", _): return .claimed(token: token, step: step)
        case ("sent", _): return .sent(token: token)
        case ("taken", let state?): return .takenOver(token: token, step: step, next: state)
        case ("finished", let state?):
            return outcome(row[5]).map { .finished(token: token, $0, next: state, then: step) }
        case ("horizon", _): return .horizonPassed
        case ("late", _): return .lateEvidence(token: token, proves: row[5] == "true", reached: row[6] != nil)
        case ("cancel_requested", _): return .cancelRequested
        case ("unblocked", _): return .unblocked
        case ("cancelled", _): return .cancelled
        case ("expired", _): return .expired
        case ("proved_late", _): return .provedLate
        case ("resolved", let state?): return .resolved(happened: state == .completed, next: state)
        case ("retried", _): return .retried
        default: return nil
        }
    }

    /// The model writes in camel case what the journal writes in snake case.
    private static func outcome(_ text: String?) -> AttemptOutcome? {
        let words = (text ?? "").split(separator: "_")
        return AttemptOutcome(rawValue: words.prefix(1).joined() + words.dropFirst().map(\.capitalized).joined())
    }
}

extension Array {
    /// Neighbours that belong together, as slices.
    fileprivate func chunked(by belongs: (Element, Element) -> Bool) -> [ArraySlice<Element>] {
        var result: [ArraySlice<Element>] = []
        var start = startIndex
        for index in indices.dropFirst() where !belongs(self[index - 1], self[index]) {
            result.append(self[start..<index])
            start = index
        }
        if start < endIndex { result.append(self[start..<endIndex]) }
        return result
    }
}
