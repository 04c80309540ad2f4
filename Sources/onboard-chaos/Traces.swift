import Foundation
import ProtocolModel

/// Checks each job's real history against the model of the protocol.
struct Traces: Sendable {
    let stage: Stage

    /// Everything that is written down about each job, in its order; what happened at one moment, in the order of causes.
    private static let events = """
        SELECT e.job_id::text, j.kind, (j.payload ? 'external_id')::text, e.event, e.token::text, e.outcome, e.state, e.step FROM (
            SELECT j.id AS job_id, j.created_at AS at, 0 AS rank, 'enqueued' AS event, NULL::bigint AS token,
                NULL AS outcome, t.to_state AS state, NULL AS step
            FROM onboarding.jobs j
            JOIN onboarding.transitions t ON t.job_id = j.id AND t.from_state IS NULL
            UNION ALL
            SELECT job_id, claimed_at, 2, 'claimed', claim_token, NULL, NULL, step FROM onboarding.attempts WHERE NOT late
            UNION ALL
            SELECT a.job_id, greatest(a.sent_at, a.claimed_at), 3, 'sent', a.claim_token, NULL, NULL, NULL FROM onboarding.attempts a
            JOIN onboarding.jobs j ON j.id = a.job_id AND j.provider IN ('connect', 'axisfi')
            WHERE NOT a.late AND a.step = 'create' AND a.sent_at >= a.claimed_at
                -- What the worker says it sent counts only if the row has had a mark by then. A mark is gone after a
                -- verdict or a retry, and after a call that cannot have arrived.
                AND (a.outcome NOT IN ('succeeded', 'unavailable', 'ambiguous') OR j.first_sent_at <= a.finished_at
                    OR EXISTS (
                        SELECT 1 FROM onboarding.state_changes s
                        WHERE s.job_id = a.job_id AND s.at > a.claimed_at AND s.to_state <> 'completed'
                            AND s.from_state IN ('failed', 'cancelled', 'uncertain')))
            UNION ALL
            SELECT job_id, finished_at, 4, CASE WHEN outcome = 'lost' THEN 'taken' ELSE 'finished' END, claim_token, outcome, next_state, NULL
            FROM onboarding.attempts WHERE NOT late
            UNION ALL
            SELECT job_id, finished_at, 5, 'late', claim_token, (provider_id IS NOT NULL)::text, NULL, NULL FROM onboarding.attempts WHERE late
            UNION ALL
            SELECT job_id, at, 6, CASE
                WHEN from_state = to_state THEN 'cancel_requested'
                WHEN from_state = 'blocked' AND to_state = 'available' THEN 'unblocked'
                WHEN to_state = 'cancelled' AND from_state IN ('blocked', 'available') THEN 'cancelled'
                WHEN from_state = 'available' AND to_state = 'failed' THEN 'expired'
                WHEN from_state = 'uncertain' AND reason LIKE 'late evidence%' THEN 'proved_late'
                WHEN from_state = 'uncertain' THEN 'resolved'
                ELSE 'retried' END, NULL, NULL, to_state, NULL
            FROM onboarding.state_changes) e
        JOIN onboarding.jobs j ON j.id = e.job_id
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
        switch row[1] {
        case "connect.individual.create": .neither
        case "axisfi.customer.create": .lookUp
        case "iron.customer.create" where row[2] != "true": .keyedBlind
        default: .keyed
        }
    }

    private static func event(_ row: [String?]) -> JobEvent? {
        let token = row[4].flatMap { Int($0) } ?? 0
        let state = row[6].flatMap(RowState.init(rawValue:))
        switch (row[3], state) {
        case ("enqueued", let state?): return .enqueued(state)
        case ("claimed", _): return .claimed(token: token, step: row[7] == "create" ? .create : .lookUp)
        case ("sent", _): return .sent(token: token)
        case ("taken", let state?): return .takenOver(token: token, next: state)
        case ("finished", let state?): return outcome(row[5]).map { .finished(token: token, $0, next: state) }
        case ("late", _): return .lateEvidence(token: token, proves: row[5] == "true")
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
