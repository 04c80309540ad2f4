import ArgumentParser
import Contracts

/// `onboard validate`: checks a payload against its kind's contract.
struct Validate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a payload and names every fault with its path; exit code 1 if there is one.")

    @Argument(help: "The kind, for example iron.customer.create.") var kind: String
    @Argument(help: "The file with the payload; standard input if not given.") var file: String?

    func run() throws {
        let contract = try PrintContract.contract(of: kind)
        let bytes = Array(try InputFile.read(file))
        let payload: JSONView
        do {
            payload = try JSONView(parsing: bytes)
        } catch {
            throw Failure(.answerIsNo, "the payload is \(error)")
        }
        var count = 0
        var problem: (any Error)?
        contract.forEachFault(in: payload) { fault in
            count += 1
            guard problem == nil else { return }
            do { try Terminal.show(fault.description) } catch { problem = error }
        }
        if let problem { throw problem }
        guard count > 0 else { return try Terminal.show("The payload keeps the contract of \(kind).") }
        throw Failure(.answerIsNo, "the payload breaks the contract of \(kind) in \(count) places")
    }
}
