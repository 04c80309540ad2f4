import ArgumentParser
import Contracts
import JobModel
import Kinds

/// `onboard contract`: prints a kind's contract.
struct PrintContract: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contract", abstract: "Prints a kind's contract as JSON Schema 2020-12.")

    @Argument(help: "The kind, for example iron.customer.create.") var kind: String

    func run() throws {
        try Terminal.show(try Self.contract(of: kind).jsonSchema.serialized)
    }

    /// The contract of a kind; an unknown one is wrong usage.
    static func contract(of kind: String) throws -> Contract {
        guard let contract = Registry.shipped[JobKind(kind)]?.contract else {
            let known = Registry.shipped.kinds.map(\.kind.value).joined(separator: ", ")
            throw ValidationError("'\(kind)' is not a kind; known are \(known)")
        }
        return contract
    }
}
