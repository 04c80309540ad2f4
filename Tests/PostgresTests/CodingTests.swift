import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct CodingTests {
    static let texts: [String?] = [nil, "", "it's \"quoted\"", #"back\slash {a,b} NULL"#, "größe 🦉", "a\nb\tc"]

    private func echo<T: ColumnDecodable & Equatable>(
        _ connection: Connection, _ type: String, _ parameter: Parameter, _ value: T
    ) async throws {
        let rows = try await connection.query(Statement("SELECT $1::\(type) AS v", parameters: [parameter]))
        #expect(try rows[0].decode(T.self, "v") == value, "\(type)")
    }

    @Test func `every number comes back as it went`() async throws {
        try await withConnection { connection in
            for value in [nil, 0, 1, -1, Int64.max, .min, 1 << 40] {
                try await echo(connection, "bigint", .bigint(value), value)
            }
            for value in [nil, 0, -1, Int(Int32.max), Int(Int32.min)] {
                try await echo(connection, "integer", .integer(value), value)
            }
            for value in [nil, 0, -1, Int(Int16.max), Int(Int16.min)] {
                try await echo(connection, "smallint", .smallint(value), value)
            }
            for value in [nil, 0.1, -1e300, Double.leastNonzeroMagnitude, Double.infinity, 1.0 / 3] {
                try await echo(connection, "double precision", .double(value), value)
            }
            for value in [nil, true, false] { try await echo(connection, "boolean", .boolean(value), value) }
        }
    }

    @Test func `every text and all bytes come back as they went`() async throws {
        try await withConnection { connection in
            for value in Self.texts { try await echo(connection, "text", .text(value), value) }
            let all = (0...255).map { UInt8($0) }
            for value in [nil, [], [0], all] as [[UInt8]?] {
                try await echo(connection, "bytea", .bytea(value), value)
            }
            let json = #"{"a" : [1,  "x"]}"#
            try await echo(connection, "json", .json(Array(json.utf8)), json)
            try await echo(connection, "jsonb", .json(Array("{\"a\":1}".utf8)), "{\"a\": 1}")
            let uuid = "0190163d-8694-739b-aea5-966c26f8ad91"
            try await echo(connection, "uuid", .uuid(uuid), uuid)
            try await echo(connection, "uuid", .uuid(nil), String?.none)
            try await echo(connection, "timestamptz", .timestamptzText(nil), String?.none)
            let instant = Statement(
                "SELECT $1 = '2026-02-03 04:05:06+00'", parameters: [.timestamptzText("2026-02-03T05:05:06+01:00")])
            #expect(try await connection.query(instant)[0].decode(Bool.self, at: 0))
        }
    }

    @Test func `arrays come back as they went, with NULLs and empty`() async throws {
        try await withConnection { connection in
            func echo<T: ColumnDecodable & Equatable>(_ type: String, _ parameter: Parameter, _ values: [T?])
                async throws
            {
                let sql = "SELECT v FROM unnest($1::\(type)[]) WITH ORDINALITY AS u (v, n) ORDER BY n"
                let rows = try await connection.query(Statement(sql, parameters: [parameter]))
                #expect(try rows.map { try $0.decode(T?.self, at: 0) } == values, "\(type)")
            }
            try await echo("bigint", .bigints([]), [Int64?]())
            try await echo("bigint", .bigints([1, nil, .min]), [1, nil, Int64.min])
            try await echo("integer", .integers([1, nil, -7]), [1, nil, -7])
            try await echo("text", .texts([]), [String?]())
            try await echo("text", .texts(Self.texts), Self.texts)
            try await echo("boolean", .booleans([true, nil, false]), [true, nil, false])
            try await echo("bytea", .byteas([[0, 255], nil, []]), [[0, 255], nil, []] as [[UInt8]?])
            try await echo("double precision", .doubles([0.5, nil]), [0.5, nil])
            let uuid = "0190163d-8694-739b-aea5-966c26f8ad91"
            try await echo("uuid", .uuids([uuid, nil]), [uuid, nil])
            try await echo("uuid", .uuids([]), [String?]())
        }
    }

    @Test func `a number outside its type is refused by the server, not by a trap`() async throws {
        try await withConnection { connection in
            let tooLarge: [(String, Parameter)] = [
                ("integer", .integer(1 << 40)), ("smallint", .smallint(40_000)),
                ("integer[]", .integers([1, 1 << 40])),
            ]
            for (type, parameter) in tooLarge {
                let error = try await failure {
                    _ = try await connection.query(Statement("SELECT $1::\(type)", parameters: [parameter]))
                }
                #expect(error.sqlState?.code == "22003")
                #expect(!error.description.contains("1099511627776"))
            }
        }
    }

    @Test func `a NUL character is refused before anything is sent`() async throws {
        try await withConnection { connection in
            let parameters: [Parameter] = [
                .text("a\0b"), .texts(["a", "a\0b"]), .json([0x22, 0, 0x22]), .uuid("\0"), .timestamptzText("now\0"),
                .uuids(["\0"]),
            ]
            for parameter in parameters {
                let error = try await failure {
                    _ = try await connection.query(Statement("SELECT 1, $2::text", parameters: [.text(""), parameter]))
                }
                #expect(error.code == .invalidParameter)
                #expect(error.message.contains("$2"))
            }
            let statement = try await failure { _ = try await connection.query(Statement("SELECT 1\0")) }
            let script = try await failure { try await connection.run(script: "SELECT 1\0") }
            #expect(statement.code == .invalidParameter && script.code == .invalidParameter)
        }
    }

    @Test func `twenty megabytes go there and back`() async throws {
        try await withConnection { connection in
            let text = String(repeating: "0123456789", count: 2_000_000)
            try await echo(connection, "text", .text(text), text)
            let bytes = [UInt8](repeating: 7, count: 20_000_000)
            try await echo(connection, "bytea", .bytea(bytes), bytes)
        }
    }

    @Test func `a column of another type is a decoding error that names the column`() async throws {
        try await withConnection { connection in
            let row = try await connection.query(Statement("SELECT 'hunter2' AS word, NULL::integer AS none"))[0]
            let wrong = #expect(throws: PostgresError.self) { try row.decode(Int.self, "word") }
            #expect(wrong?.code == .decoding && wrong?.column == "word")
            #expect(wrong?.description.contains("hunter2") == false)
            #expect(throws: PostgresError.self) { try row.decode(Int.self, "none") }
            #expect(throws: PostgresError.self) { try row.decode(Bool.self, "word") }
            #expect(throws: PostgresError.self) { try row.decode(Int.self, "absent") }
            #expect(throws: PostgresError.self) { try row.decode(Int.self, at: 2) }
            #expect(try row.decode(Int?.self, "none") == nil)
            #expect(!"\(row)".contains("hunter2"))
        }
    }

    @Test func `rows without columns are counted`() async throws {
        try await withConnection { connection in
            let rows = try await connection.query(Statement("SELECT FROM generate_series(1, 3)"))
            #expect(rows.count == 3)
        }
    }
}
