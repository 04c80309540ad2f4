/// One of the servers that a connection string names, and how long one attempt may take there.
///
/// libpq tries a list of hosts by itself, but only its blocking calls have a deadline for each: so a list is taken apart,
/// and each host, and each address of a host, is tried as a connection of its own.
struct ConnectionTarget: Equatable {
    /// As the string has it: a name, an address, a folder of sockets; empty for libpq's default.
    var host = ""
    /// An address that needs no look-up; empty where there is none.
    var address = ""
    /// Empty for libpq's default.
    var port = ""

    /// Whether the host has to be looked up first.
    var isName: Bool { address.isEmpty && !host.isEmpty && !host.hasPrefix("/") && !host.hasPrefix("@") }

    /// The targets of comma-separated lists, as libpq pairs them; one target without a choice where the lists do not match,
    /// which libpq then refuses.
    static func all(host: String, hostaddr: String, port: String) -> [ConnectionTarget] {
        let hosts = list(host)
        let addresses = list(hostaddr)
        let ports = list(port)
        let count = max(1, addresses.isEmpty ? hosts.count : addresses.count)
        guard hosts.isEmpty || hosts.count == count, ports.count <= 1 || ports.count == count else {
            return [ConnectionTarget()]
        }
        return (0..<count).map { index in
            ConnectionTarget(
                host: hosts.isEmpty ? "" : hosts[index], address: addresses.isEmpty ? "" : addresses[index],
                port: ports.isEmpty ? "" : ports[ports.count == 1 ? 0 : index])
        }
    }

    private static func list(_ text: String) -> [String] {
        text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The keywords of a connection to this target alone.
    func keywords(_ string: ConnectionString) -> [(String, String)] {
        var string = string
        for (name, value) in [("host", host), ("hostaddr", address), ("port", port)] where !value.isEmpty {
            string[name] = value
        }
        return string.keywords.map { ($0.name, $0.value) }
    }
}

extension ConnectionTarget: CustomStringConvertible {
    /// As libpq's messages name a server.
    var description: String {
        let name = host.isEmpty ? address : host
        let place = isName || address.isEmpty || address == host ? "\"\(name)\"" : "\"\(name)\" (\(address))"
        return "connection to server at \(place), port \(port.isEmpty ? "5432" : port) failed"
    }
}
