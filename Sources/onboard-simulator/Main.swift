import ArgumentParser
import Glibc
import Simulator

@main struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "onboard-simulator", abstract: "Plays the four providers on one port, under path prefixes.")

    @Option(help: "The address to listen on.") var bind = "127.0.0.1"
    @Option(help: "The port; 0 picks a free one.") var port = 8090

    func run() async throws {
        let bind = bind
        try await SimulatorServer().run(host: bind, port: port) {
            print("listening on http://\(bind):\($0)")
            fflush(nil)
        }
    }
}
