import Contracts
import Testing

@Suite struct JSONParserTests {
    /// As a tree; the view of the same bytes has to say the same.
    private func parse(_ text: String) -> JSONValue? {
        let tree = try? JSONValue(parsing: Array(text.utf8))
        #expect((try? JSONView(parsing: Array(text.utf8)))?.value == tree)
        return tree
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "01", "-", "1.", ".5", "1e", "+1", "tru", "nul",
        "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\u{1}\"", "1 2", "[1] x", "'a'",
        "\"", "NaN",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(parse(text) == nil)
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        #expect(throws: JSONError.self) { try JSONView(parsing: [0x22, 0xED, 0xA0, 0x80, 0x22]) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test func `values are read as they are written`() {
        #expect(
            parse(" [1e400, -0, true, null, \"a\\u00e9\\n\\ud83d\\ude00\"] ")
                == .array([.number("1e400"), .number("-0"), .bool(true), .null, .string("aé\n😀")]))
        #expect(parse("{\"a\": 1, \"a\": 2}") == .object(["a": .number("2")]))
        #expect(parse("{}") == .object([:]))
    }

    @Test func `a view finds what a tree holds`() throws {
        let text = #" { "a": [1, {"b": "x\n"}, "y"], "c": {"d": null, "d": true}, "": -1.5e3 } "#
        let view = try JSONView(parsing: Array(text.utf8))
        #expect(view.kind == .object)
        #expect(view["c"]?["d"]?.value == .bool(true))
        #expect(view[""]?.value == .number("-1.5e3"))
        #expect(view["e"] == nil && view["a"]?["b"] == nil)
        var elements: [JSONView.Kind] = []
        view["a"]?.forEachElement { elements.append($0.kind) }
        #expect(elements == [.number, .object, .string])
        var strings: [String] = []
        view.forEachString { strings.append($0) }
        #expect(strings == ["x\n", "y"])
        let like = try JSONValue(parsing: Array(#"{"a": [1, 2, 3], "c": {"x": 1}, "E": "long"}"#.utf8))
        let excerpt = view.excerpt(like: like, also: ["": "E"])
        #expect(
            excerpt
                == .object([
                    "a": view["a"]?.value ?? .null, "c": .object([:]), "": .number("-1.5e3"),
                ]))
        // Of a list of another length that, of another kind all, and nothing where the record says nothing.
        let other = try JSONValue(parsing: Array(#"{"a": [1], "c": [2], "": null}"#.utf8))
        #expect(
            view.excerpt(like: other, also: [:])
                == .object(["a": .array([.null, .null]), "c": .object(["d": .bool(true)]), "": .null]))
    }

    @Test func `nesting has an end`() {
        #expect(parse(String(repeating: "[", count: 128) + String(repeating: "]", count: 128)) != nil)
        #expect(parse(String(repeating: "[", count: 200) + String(repeating: "]", count: 200)) == nil)
        #expect(parse(String(repeating: "[", count: 1_000_000)) == nil)
    }

    @Test func `what is written is read back the same`() throws {
        let value: JSONValue = .object([
            "a": .array([.string("\u{1}\"\\é😀"), .number("1.50"), .null]), "b": .bool(false),
        ])
        #expect(try JSONValue(parsing: Array(value.serialized.utf8)) == value)
    }

    @Test func `an error tells the place and nothing of the content`() {
        #expect(throws: JSONError(problem: "a comma or } is expected", offset: 15)) {
            try JSONValue(parsing: Array("{\"a\": \"SECRET\" x}".utf8))
        }
    }
}
