import Foundation
import Providers

extension HTTPProviderCaller.Configuration {
    /// `ONBOARD_HTTP_TIMEOUT` and `ONBOARD_HTTP_CA_FILE`, with as many connections as calls may be in flight.
    init(_ settings: Settings, connections: Int) throws(Failure) {
        self.init(
            timeout: try settings.duration("ONBOARD_HTTP_TIMEOUT", default: .seconds(30)), connections: connections)
        authorityFile = try settings.text("ONBOARD_HTTP_CA_FILE")
        if let authorityFile {
            // Read here for its error only: a file that is missing must not be found out call by call.
            let text = try? String(contentsOfFile: authorityFile, encoding: .utf8)
            guard text?.contains("-----BEGIN CERTIFICATE-----") == true else {
                throw Failure(
                    .wrongConfiguration, "ONBOARD_HTTP_CA_FILE must name a readable file of PEM certificates")
            }
        }
    }
}
