import Contracts
import Kinds

/// Whether an answer to a look-up says that there is no record.
///
/// What else may say "not found" does not: a gateway that knows no such path, a key that is unknown, an upstream that
/// failed. Only words that the answer about a missing record is made of are believed; any other makes it unclear. Some
/// providers put every failure into a 200.
struct Absence {
    /// Words of an answer that tells of nothing but a record that is not there, or of no fault.
    private static let harmless: Set<String> = [
        "a", "all", "any", "at", "be", "by", "cannot", "completed", "could", "customer", "customers", "data", "do",
        "does",
        "done", "email", "empty", "error", "exist", "exists", "external", "fetched", "for", "found", "given", "has",
        "have",
        "id", "identification", "identifications", "individual", "is", "matching", "no", "none", "not", "null",
        "of", "ok", "operation", "partner", "query", "record", "records", "request", "requested", "result", "results",
        "retrieved", "s", "specified", "success", "successful", "successfully", "such", "t", "that", "the", "this",
        "type",
        "was", "were", "with",
    ]
    private static let subjects: Set<String> = ["customer", "customers", "identification", "individual", "record"]
    private static let denials = [
        "not found", "notfound", "not be found", "not exist", "no such", "no record", "no customer",
    ]
    /// Members that a router has in its own answer.
    private static let routers: Set<String> = ["path", "url", "uri", "route", "method", "instance"]
    private static let verdicts: Set<String> = [
        "code", "status", "statuscode", "ret", "retcode", "rc", "errcode", "errorcode", "resultcode", "returncode",
        "respcode", "httpstatus", "httpcode", "bizcode", "subcode",
    ]
    private static let flags: Set<String> = ["success", "ok", "succeeded", "issuccess", "successful"]
    private static let texts: Set<String> = [
        "message", "msg", "errmsg", "errormsg", "errormessage", "detail", "details", "description", "title", "reason",
        "statustext", "info", "hint", "submsg",
    ]
    /// Where a bare "not found" is the provider's own word; elsewhere it is every framework's.
    private static let ownTexts: Set<String> = ["", "message", "msg", "code", "errcode", "errorcode"]

    /// The values that the request asked for; the answer may repeat them.
    private let asked: [String]
    /// What the kind makes, as one and as several.
    private let resources: Set<String>
    /// The answer says in words that the record is not there.
    private var isSaid = false
    /// It says that it failed.
    private var isDenied = false
    /// It gives 404 for the reason.
    private var isExcused: Bool
    /// It says something else.
    private var isUnclear = false

    private init(status: Int, for context: CallContext) {
        isExcused = status == 404
        asked = context.definition.identity.sent(context).map { $0.lowercased() }
        let resource = context.definition.kind.resource
        resources = [resource, resource + "s"]
    }

    /// Whether `body`, which came with `status`, says so.
    static func isClear(_ body: JSONValue?, status: Int = 200, for context: CallContext) -> Bool {
        guard let body, body != .null else { return body == .null && status == 200 }
        var absence = Absence(status: status, for: context)
        let place = Self.place(for: context)
        switch body {
        case .string(let text): absence.read(text, in: "")
        case .object(let members): absence.read(members, place: place)
        case .null, .bool, .number, .array: return false
        }
        if absence.isUnclear { return false }
        let isEmpty = body[place].map { [.null, .object([:]), .array([])].contains($0) } ?? false
        return absence.isSaid || isEmpty && (!absence.isDenied || absence.isExcused)
    }

    /// Whether `body` says, beside its list of records, nothing but that all is well.
    static func isWell(_ body: JSONValue, for context: CallContext) -> Bool {
        var absence = Absence(status: 200, for: context)
        absence.read(body.object ?? [:], place: place(for: context))
        return !absence.isUnclear && !absence.isDenied && !absence.isExcused && !absence.isSaid
    }

    /// The member that holds the record, or the list of them.
    private static func place(for context: CallContext) -> String {
        context.definition.lookUp?.pages?.list ?? context.definition.record.wrapper ?? "data"
    }

    private mutating func read(_ members: [String: JSONValue], place: String?) {
        for (name, value) in members where name != place {
            let name = name.lowercased().filter(\.isLetter)
            if Self.isEmpty(value) { continue }
            if Self.routers.contains(name) { isUnclear = true }
            if Self.flags.contains(name) {
                readFlag(value)
            } else if Self.verdicts.contains(name) {
                readVerdict(value, in: name)
            } else if Self.texts.contains(name) || Self.isFault(name) {
                readText(value, in: name)
            }
        }
    }

    private mutating func readFlag(_ value: JSONValue) {
        switch value {
        case .bool(true), .string("true"), .number("1"), .string("1"): break
        case .bool(false), .string("false"), .number("0"), .string("0"): isDenied = true
        default: isUnclear = true
        }
    }

    private mutating func readVerdict(_ value: JSONValue, in name: String) {
        switch value {
        case .bool(let flag): if !flag { isDenied = true }
        case .number(let text), .string(let text):
            let isSuccess = text.allSatisfy { $0 == "0" } || text.count == 3 && text.hasPrefix("2")
            if text == "404" {
                isDenied = true
                isExcused = true
            } else if !isSuccess {
                read(text, in: name)
            }
        case .null, .array, .object: isUnclear = true
        }
    }

    private mutating func readText(_ value: JSONValue, in name: String) {
        switch value {
        case .string(let text): read(text, in: name)
        // Juicyway's reference has errors as `{"error": {"code": …, "message": …}}`.
        case .object(let members): read(members, place: nil)
        case .bool(false), .number("0"): break
        case .null, .bool, .number, .array: isUnclear = true
        }
    }

    private mutating func read(_ text: String, in name: String) {
        var text = text.lowercased()
        for value in asked where value.utf8.count >= 3 { text = text.split(separator: value).joined(separator: " ") }
        let words = text.split { !($0.isLetter || $0.isNumber) }.map(String.init)
        let isHarmless = words.allSatisfy {
            Self.harmless.contains($0) || resources.contains($0) || $0 == "404" || $0.hasSuffix("notfound")
        }
        guard words.count <= 24, isHarmless else { return isUnclear = true }
        let sentence = words.joined(separator: " ")
        let isSubject =
            words.contains { Self.subjects.contains($0) || resources.contains($0) }
            || sentence.hasPrefix("customernotfound")
        guard Self.denials.contains(where: sentence.contains) else {
            // No fault, unless it says that there is one.
            if words.contains(where: ["error", "cannot", "could", "not"].contains) { isUnclear = true }
            return
        }
        isDenied = true
        if isSubject || Self.ownTexts.contains(name) { isSaid = true }
    }

    private static func isFault(_ name: String) -> Bool {
        name.hasPrefix("err") || ["error", "fail", "fault", "exception"].contains(where: name.contains)
    }

    private static func isEmpty(_ value: JSONValue) -> Bool {
        [.null, .string(""), .object([:]), .array([])].contains(value)
    }
}
