import JobModel
import Kinds
import Testing

@testable import Providers

@Suite struct RedactionTests {
    @Test(arguments: [
        (#""email ada@example.com already exists""#, "HTTP 400 email … already exists"),
        (
            #"{"error": {"code": "validation_error", "message": "Invalid value Ada", "type": "invalid_request", "errors": [{"field": "phone", "message": "x"}, {"field": "Ada"}]}}"#,
            "HTTP 400 validation_error invalid_request phone invalid value …"
        ),
        (
            #"{"error": {"code": "invalid_request", "details": {"email": ["Ada"], "Ada": []}}}"#,
            "HTTP 400 invalid_request email"
        ),
        ("authorization error", "HTTP 400 authorization error"), ("", "HTTP 400"), ("Ada Lovelace", "HTTP 400"),
        (#"{"error": {"code": "Ada_Lovelace"}}"#, "HTTP 400"),
    ])
    func `known words stay, all else goes`(body: String, text: String) {
        #expect(Redaction(Sample.definition("iron.customer.create")).describe(Sample.answer(400, body)) == text)
    }

    @Test func `nothing that was sent comes back, in whatever form`() throws {
        let marks = ["MARKED-NAME", "marked@example.com", "+49 170 1234567", "1990-01-02"]
        let claim = Sample.claim(
            "iron.customer.create",
            payload: #"{"customer_type": "Person", "email": "marked@example.com", "name": "MARKED-NAME"}"#)
        let context = try Sample.context(claim)
        for mark in marks {
            for echo in [mark, mark.uppercased(), mark.lowercased(), String(mark.reversed())] {
                let bodies = [
                    "\"\(echo)\"", echo, #"{"message": "\#(echo)", "trace_id": "\#(echo)"}"#,
                    #"{"error": {"code": "\#(echo)", "type": "\#(echo)", "message": "x \#(echo)", "errors": [{"field": "\#(echo)"}], "details": {"\#(echo)": []}}}"#,
                ]
                for body in bodies {
                    let answer = Sample.answer(400, body, headers: ["x-request-id": echo])
                    #expect(
                        !Redaction(Sample.definition("iron.customer.create")).describe(answer).lowercased().contains(
                            echo.lowercased().prefix(6)))
                    if mark.lowercased().contains("mark"), echo != String(mark.reversed()) {
                        #expect(RequestID.find(in: answer, for: context) == nil)
                    }
                }
            }
        }
    }

    @Test func `an error has an end`() {
        let long = "\"" + String(repeating: "invalid value ", count: 1000) + "\""
        #expect(
            Redaction(Sample.definition("iron.customer.create")).describe(Sample.answer(400, long)).count
                <= Redaction.limit)
    }

    @Test func `the provider's own id of an exchange is kept`() throws {
        let context = try Sample.context("iron.customer.create")
        #expect(
            RequestID.find(in: Sample.answer(500, #"{"message": "m", "trace_id": "abc-1"}"#), for: context) == "abc-1")
        #expect(RequestID.find(in: Sample.answer(403, #"{"message": "m", "traceId": "t.2"}"#), for: context) == "t.2")
        #expect(RequestID.find(in: Sample.answer(500, #"{"trace_id": "has space"}"#), for: context) == nil)
    }

    @Test func `neither an id of an exchange nor a status says back what was sent`() throws {
        let payload = #"{"email": "ada.lovelace@example.com", "name": "Ada Lovelace", "note": "still pending review"}"#
        let context = try Sample.context("iron.customer.create", payload: payload)
        for id in ["ada.lovelace", "x-ada.lovelace@example.com-1", "Lovelace"] {
            #expect(RequestID.find(in: Sample.answer(500, headers: ["x-request-id": id]), for: context) == nil)
        }
        #expect(Echo.status("Ada Lovelace", of: context) == nil)
        #expect(Echo.status("Lovelace", of: context) == nil)
        #expect(Echo.status("pending", of: context) == "pending", "a documented status is no echo")
        #expect(Echo.status("UnderManualReview", of: context) == "UnderManualReview")
    }
}
