import Postgres
import SQLCatalog
import Testing

/// Every statement that the program runs, held against the migrated schema and against its own heading.
@Suite struct QueryTests {
    /// The types that the heading promises, `$1` first, without the brackets of arrays.
    private func declaredTypes(_ sql: String) -> [String] {
        let heading = sql.split(separator: "\n").prefix { $0.hasPrefix("--") }.joined(separator: " ")
        return heading.split(separator: "$").dropFirst().enumerated().compactMap { index, part in
            guard part.hasPrefix("\(index + 1) ") else { return nil }
            let text = part.prefix { !",(;.".contains($0) }.replacing(" or NULL", with: "").replacing("[]", with: "")
            let words = text.split { $0 == " " || $0 == "-" }.map(String.init)
            let type = words.prefix { $0 != "Returns" }.last ?? ""
            return type == "precision" ? "double precision" : type
        }
    }

    @Test(arguments: SQLCatalog.queries.keys.sorted())
    func `a statement prepares, with the parameters that its heading names`(name: String) async throws {
        let sql = SQLCatalog.query(name)
        try await withSessions { sessions in
            try await sessions[0].run("PREPARE it AS \(sql)")
            let types = try await sessions[0].value(
                "SELECT array_to_string(parameter_types, ',') FROM pg_prepared_statements WHERE name = 'it'")
            let found = (types ?? "").split(separator: ",").map { String($0).replacing("[]", with: "") }
            #expect(found == declaredTypes(sql))
        }
    }
}
