import Contracts
import FoundationEssentials
import Kinds

/// What a look-up's answer says.
enum Finding: Sendable, Equatable {
    /// The record, and all that the answer says of it.
    case found(FoundRecord, JSONValue)
    /// There certainly is none.
    case absent
    /// The answer shows records, and none that matches the payload.
    case others
    /// The answer proves nothing.
    case unreadable

    /// What the body of a 200 says about the job's record.
    init(_ lookUp: LookUp, in body: JSONValue, for context: CallContext) {
        let definition = context.definition
        switch lookUp.search {
        case .record(let key):
            guard !Absence.isClear(body, for: context) else {
                self = .absent
                return
            }
            let record = definition.record.record(of: body)
            // The path asked by the key; the answer may leave it out.
            guard let said = record?[key]?.string, said != context.payload[key]?.string else {
                self.init(record, context)
                return
            }
            self = .others
        case .filtered(let key):
            let list = lookUp.pages.flatMap { body[$0.list]?.array } ?? []
            guard !list.isEmpty else {
                self = Absence.isClear(body, for: context) ? .absent : .unreadable
                return
            }
            let identity = Identity.payload(key)
            if let ours = list.first(where: { identity.agrees($0, context) == true }) {
                self.init(ours, context)
            } else {
                // Others than asked for: the filter was not heard, or the value is written otherwise there.
                self = lookUp.pages?.goesOn(body) == true ? .unreadable : .others
            }
        case .siblings(let siblings):
            self = lookUp.pages.map { SiblingList(siblings, body, $0, context).finding() } ?? .unreadable
        }
    }

    /// Found, or nothing proved.
    init(_ record: JSONValue?, _ context: CallContext) {
        guard let record, let found = FoundRecord(record, for: context) else {
            self = .unreadable
            return
        }
        self = .found(found, record)
    }
}

/// A record at the provider.
struct FoundRecord: Sendable, Equatable {
    let id: String
    let status: String?

    init(id: String, status: String?) {
        self.id = id
        self.status = status
    }

    /// Reads a record, tolerantly: only the id must be there. An unknown status is kept as it is.
    init?(_ record: JSONValue, for context: CallContext) {
        guard let id = record[context.definition.record.id].flatMap({ Self.id($0, for: context) }) else { return nil }
        self.init(id: id, status: record["status"]?.string.flatMap(Self.status))
    }

    /// The id, if the value can be one: a whole number, or text of the provider's form, and nothing that was sent. A program
    /// that has the wrong value prints what it was sent.
    private static func id(_ value: JSONValue, for context: CallContext) -> String? {
        let text: String
        switch value {
        case .string(let said): text = said
        case .number(let literal) where literal.utf8.count <= 40 && literal.utf8.allSatisfy(isDigit): text = literal
        case .null, .bool, .number, .array, .object: return nil
        }
        let isID = context.definition.idForm.matches(text) && !Echo.isStatus(text, of: context)
        return isID && !Echo.isValue(text, of: context) ? text : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// A status is one word or a few; what is longer or has other characters is something else, and is not kept.
    private static func status(_ text: String) -> String? {
        let isWord =
            text.utf8.count <= 64
            && text.unicodeScalars.allSatisfy {
                $0.isASCII
                    && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || " _-.".unicodeScalars.contains($0))
            }
        return isWord && !text.isEmpty ? text : nil
    }
}
