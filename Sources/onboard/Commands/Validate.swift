import ArgumentParser
import Contracts
import Foundation

/// `onboard validate`: checks a payload against its kind's contract.
struct Validate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a payload and names every fault with its path; exit code 1 if there is one.")

    @Argument(help: "The kind, for example iron.customer.create.") var kind: String
    @Argument(help: "The file with the payload; standard input if not given.") var file: String?

    func run() throws {
        let contract = try PrintContract.contract(of: kind)
        let bytes: [UInt8]
        if let file {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw ValidationError("cannot read \(file)")
            }
            bytes = Array(data)
        } else {
            bytes = Array(FileHandle.standardInput.readDataToEndOfFile())
        }
        let payload: JSONView
        do {
            payload = try JSONView(parsing: bytes)
        } catch {
            throw Failure(.answerIsNo, "the payload is \(error)")
        }
        var count = 0
        contract.forEachFault(in: payload) { fault in
            count += 1
            print(fault.description)
        }
        guard count > 0 else {
            print("The payload keeps the contract of \(kind).")
            return
        }
        throw Failure(.answerIsNo, "the payload breaks the contract of \(kind) in \(count) places")
    }
}
