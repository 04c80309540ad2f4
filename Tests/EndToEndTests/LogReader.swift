import Foundation
import TestKit
import Testing

extension Program {
    /// What it has logged so far, a JSON object a line; each with a time in UTC, and numbers as numbers.
    func logged() throws -> [[String: Any]] {
        try errors.split(separator: "\n").filter { $0.hasPrefix("{") }.map { line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let time = try #require(object["time"] as? String)
            #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(line)")
            for (name, value) in object where name != "sqlstate" {
                guard let text = value as? String else { continue }
                #expect(text.wholeMatch(of: /-?\d+(\.\d+)?/) == nil, "\(name) of \(line)")
            }
            return object
        }
    }

    /// The lines of one message, of one provider where one is given.
    func logged(_ message: String, provider: String? = nil) throws -> [[String: Any]] {
        try logged().filter {
            $0["message"] as? String == message && (provider == nil || $0["provider"] as? String == provider)
        }
    }
}
