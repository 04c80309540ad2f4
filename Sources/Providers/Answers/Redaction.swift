import Contracts
import Kinds

/// Makes error text of answers fit to be stored: an allow-list of words, everything else becomes `…`.
///
/// Providers repeat what they were sent, in any form; only what is known to be harmless may stay: the words of every API,
/// and the names of the kind's fields.
struct Redaction {
    static let limit = 300

    /// The names of the kind's fields.
    let words: Set<String>

    init(_ definition: KindDefinition) { words = definition.words }

    /// One line about a refused or failed answer.
    func describe(_ answer: Answer) -> String {
        var parts = ["HTTP \(answer.status)"]
        if let body = answer.json {
            let error = body["error"] ?? body
            for member in ["code", "type"] { if let code = error[member]?.string.flatMap(code) { parts.append(code) } }
            for fault in error["errors"]?.array ?? [] {
                if let field = fault["field"]?.string.flatMap(word) { parts.append(field) }
            }
            for field in (error["details"]?.object ?? [:]).keys.sorted() {
                if let field = word(field) { parts.append(field) }
            }
            if let message = (body.string ?? error["message"]?.string ?? error.string) { parts.append(text(message)) }
        } else if let message = String(validating: answer.body.prefix(400), as: UTF8.self) {
            parts.append(text(message))
        }
        return String(parts.filter { !$0.isEmpty }.joined(separator: " ").prefix(Self.limit))
    }

    /// The words of `message` that are known, in order; a run of others becomes one `…`.
    func text(_ message: String) -> String {
        var result: [String] = []
        for token in message.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "_") }).prefix(60) {
            if let known = word(String(token)) {
                result.append(known)
            } else if result.last != "…" {
                result.append("…")
            }
        }
        return result == ["…"] ? "" : result.joined(separator: " ")
    }

    /// A machine's word for an error: known words joined by underscores.
    private func code(_ text: String) -> String? {
        let words = text.split(separator: "_")
        guard !words.isEmpty, words.count <= 6, words.allSatisfy({ word(String($0)) != nil }) else { return nil }
        return text
    }

    private func word(_ token: String) -> String? {
        let lower = token.lowercased()
        return Self.vocabulary.contains(lower) || words.contains(lower) ? lower : nil
    }

    private static let vocabulary: Set<String> = Set(
        """
        a an and api are authorization bad be body business cannot characters conflict country created credentials \
        customer data date denied does duplicate email email_address empty error exceed exceeded exceeds exist exists \
        expected expired failed field fields for forbidden format found has id identification identity in individual \
        internal invalid is json key length limit long malformed maximum message minimum missing must name not null \
        number object of one only or parameter payload pending permission permissions person phone phone_number please \
        possible property rate rejected request requests required resource retry server service short should string than \
        the this to too type unauthorized unavailable unexpected unique unknown unprocessable unsupported valid \
        validation value values was were with wrong already address state
        """.split(separator: " ").map(String.init))
}
