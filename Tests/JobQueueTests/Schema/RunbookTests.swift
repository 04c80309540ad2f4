import Foundation
import Postgres
import Testing

/// Every statement of the runbook, as an operator would type it.
@Suite struct RunbookTests {
    private static func statements() throws -> [String] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("ops/runbook.md"), encoding: .utf8)
        return text.matches(of: /SELECT [^`\n]*?;/).map { match in
            String(match.output).replacing("ID", with: "1").replacing("P1", with: "0")
                .replacing("'{…}'", with: "'{\"customer_type\": \"Person\", \"email\": \"b@example.com\"}'")
        }
    }

    @Test func `the statements work, or refuse in their own words`() async throws {
        let statements = try Self.statements()
        #expect(statements.count > 15)
        try await withSessions(2) { sessions in
            let (operator_, owner) = (sessions[0], sessions[1])
            try await owner.run(SQL.enqueue("connect.individual.create", SQL.connect) + SQL.worker("a"))
            _ = try await owner.column(SQL.claim("a", "connect"))
            _ = try await owner.column(SQL.complete("a", 1, outcome: "ambiguous", state: "uncertain", providerID: nil))
            for statement in statements {
                do {
                    try await operator_.run("BEGIN; SET LOCAL ROLE onboarding_operator; \(statement)")
                } catch {
                    // Not this job's state; anything else is a statement that does not work.
                    let refusal = error as? PostgresError
                    #expect(refusal?.message.hasPrefix("onboarding: ") == true, "\(statement): \(error)")
                }
                try await operator_.run("ROLLBACK")
            }
        }
    }
}
