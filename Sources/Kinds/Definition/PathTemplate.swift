/// A path with its query, with places for values: `/customers/{payload.external_id}/external?page_size=100`.
///
/// `{payload.a.b}` stands for a string of the payload, any other name for a parameter of the job.
package struct PathTemplate: Sendable, Equatable, ExpressibleByStringLiteral {
    /// One piece of the text.
    private enum Part: Sendable, Equatable {
        case text(Substring)
        case value(ValueSource)
    }

    private let parts: [Part]
    /// The segments of the path, for whoever answers such requests.
    private let segments: [Substring]
    /// The names in the query whose values are places.
    private let parameters: [(name: String, source: ValueSource)]

    /// Reads the text.
    package init(stringLiteral text: String) {
        var parts: [Part] = []
        for (index, piece) in text.split(separator: "{", omittingEmptySubsequences: false).enumerated() {
            guard index > 0, let end = piece.firstIndex(of: "}") else {
                parts.append(.text(piece))
                continue
            }
            parts += [.value(ValueSource(piece[..<end])), .text(piece[piece.index(after: end)...])]
        }
        self.parts = parts
        let halves = text.split(separator: "?", maxSplits: 1)
        segments = halves[0].split(separator: "/")
        parameters = (halves.count > 1 ? halves[1] : "").split(separator: "&").compactMap { pair in
            let words = pair.split(separator: "=", maxSplits: 1)
            guard words.count == 2, let source = Self.source(words[1]) else { return nil }
            return (String(words[0]), source)
        }
    }

    /// The sources of all values.
    package var sources: [ValueSource] {
        parts.compactMap { if case .value(let source) = $0 { source } else { nil } }
    }

    /// The path with its values, each encoded; nil where one is missing or cannot stand in a path.
    package func filled(_ value: (ValueSource) -> String?) -> String? {
        var path = ""
        for part in parts {
            switch part {
            case .text(let text): path += text
            case .value(let source):
                guard let text = value(source).flatMap(Self.encoded) else { return nil }
                path += text
            }
        }
        return path
    }

    /// The values of a request that has this form; nil for another request. All of them arrive decoded.
    package func values(in path: [String], _ query: [String: String]) -> [ValueSource: String]? {
        guard path.count == segments.count else { return nil }
        var values: [ValueSource: String] = [:]
        for (segment, text) in zip(segments, path) {
            if let source = Self.source(segment) { values[source] = text } else if segment != text { return nil }
        }
        for (name, source) in parameters {
            guard let text = query[name] else { return nil }
            values[source] = text
        }
        return values
    }

    /// `text` as one segment of a path or one value of a query: all but RFC 3986's unreserved
    /// characters in percent form. Nil for nothing and for dots alone, which would climb.
    package static func encoded(_ text: String) -> String? {
        guard !text.isEmpty, !text.allSatisfy({ $0 == "." }) else { return nil }
        var result = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            if scalar.isASCII,
                scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "-._~".unicodeScalars.contains(scalar)
            {
                result.unicodeScalars.append(scalar)
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                result += "%" + (hex.count == 1 ? "0" + hex : hex)
            }
        }
        return result
    }

    private static func source(_ text: Substring) -> ValueSource? {
        text.hasPrefix("{") && text.hasSuffix("}") ? ValueSource(text.dropFirst().dropLast()) : nil
    }

    package static func == (left: PathTemplate, right: PathTemplate) -> Bool { left.parts == right.parts }
}

/// Where a value of a request comes from.
package enum ValueSource: Sendable, Hashable {
    /// A string of the payload, by the names of the members that lead to it.
    case payload([String])
    /// A parameter of the job.
    case parameter(String)

    /// Reads `payload.a.b`, or the name of a parameter.
    init(_ name: Substring) {
        let words = name.split(separator: ".").map(String.init)
        self = words.count > 1 && words[0] == "payload" ? .payload(Array(words.dropFirst())) : .parameter(String(name))
    }
}
