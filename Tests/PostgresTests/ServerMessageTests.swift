import Testing

@testable import Postgres

@Suite struct ServerMessageTests {
    @Test(arguments: [
        ("invalid input syntax for type integer: \"hunter2\"", "invalid input syntax for type integer"),
        ("value \"99999999999\" is out of range for type integer", "value out of range"),
        ("division by zero", "division by zero"),
    ])
    func `messages about values are cut before the value`(message: String, expected: String) {
        #expect(ServerMessage.scrubbed(message, sqlState: SQLState("22P02")) == expected)
    }

    @Test func `other messages stay, on one line`() {
        let message = "relation \"jobs\" does not exist\nLINE 1"
        #expect(
            ServerMessage.scrubbed(message, sqlState: .undefinedTable) == "relation \"jobs\" does not exist; LINE 1")
    }

    @Test func `the SQLSTATE is taken out of a refused connection`() {
        let message = """
            connection to server at "h" (::1), port 5432 failed: FATAL:  28P01: password authentication failed
            LOCATION:  auth_failed, auth.c:335
            """
        let failure = ServerMessage.connectFailure(message)
        #expect(failure.sqlState?.code == "28P01")
        #expect(failure.text.hasSuffix("FATAL:  password authentication failed"))
        #expect(ServerMessage.connectFailure("could not connect: Connection refused").sqlState == nil)
    }

    @Test func `what libpq quotes of a connection string is left out`() {
        #expect(ServerMessage.withoutQuotes("missing \"=\" after \"hunter2\" in it") == "missing … in it")
    }

    @Test func `a connection string survives its keyword form`() throws {
        var string = try ConnectionString(parsing: "postgresql://u@h:5433/db")
        string["password"] = #"it's a \ secret"#
        let again = try ConnectionString(parsing: string.keywordForm)
        #expect(again["password"] == #"it's a \ secret"#)
        #expect(again["host"] == "h" && again["port"] == "5433" && again["dbname"] == "db" && again["user"] == "u")
        #expect(!"\(again)".contains("secret"))
    }
}
