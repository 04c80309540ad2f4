/// How to reach the server, and the limits that a session sets for itself.
package struct ConnectionConfiguration: Sendable {
    /// A URI or a list of keywords, as libpq reads them; empty for the PG* variables. Secret.
    package var connectionString: String
    /// Where the string is read anew for each connection; nil: it stays as it is.
    package var source: ConnectionStringSource?
    /// What `pg_stat_activity` shows, unless the string says otherwise.
    package var applicationName: String
    /// How long connecting may take for each address of each host, looking up the host's name, and an answer from a server
    /// that was idle; the string's `connect_timeout` wins.
    package var connectTimeout: Duration
    /// The deadline of a statement that is given none of its own.
    package var statementTimeout: Duration
    /// How long a statement waits for a lock.
    package var lockTimeout: Duration
    /// After how long the server ends a session that sits idle in a transaction.
    package var idleInTransactionTimeout: Duration
    /// How long the server may take to answer a cancel before the connection is given up.
    package var cancelGrace: Duration
    /// How the addresses of a host's name are found.
    var lookUp: @Sendable (String) -> HostResolver.Answer = HostResolver.lookUp
    /// The oldest server that is accepted, as `server_version_num`.
    package var minimumServerVersion: Int

    /// Takes the string as it is; it is checked when a connection is opened.
    package init(
        connectionString: String, applicationName: String = "onboard", connectTimeout: Duration = .seconds(5),
        statementTimeout: Duration = .seconds(30), lockTimeout: Duration = .seconds(10),
        idleInTransactionTimeout: Duration = .seconds(30), cancelGrace: Duration = .seconds(3),
        minimumServerVersion: Int = 150_000
    ) {
        self.connectionString = connectionString
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.lockTimeout = lockTimeout
        self.idleInTransactionTimeout = idleInTransactionTimeout
        self.cancelGrace = cancelGrace
        self.minimumServerVersion = minimumServerVersion
    }

    /// What to hand to libpq: the string's keywords, and ours where it is silent.
    func keywords(of text: String) throws(PostgresError) -> ConnectionString {
        var string = try ConnectionString(parsing: text)
        let ours = [
            ("fallback_application_name", applicationName),
            // A link that died without a word is noticed within some 20 seconds.
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "2"),
            ("tcp_user_timeout", "20000"),
        ]
        for (name, value) in ours where string[name] == nil { string[name] = value }
        // Not to be chosen: the decoding reads UTF-8.
        string["client_encoding"] = "UTF8"
        return string
    }

    /// The statements that a new session runs at once, apart from settings that the user's `options` name.
    ///
    /// By SET and not by `options`, since a pooler in between refuses those in the start-up packet.
    func sessionScript(userOptions: String, serverVersion: Int) -> String {
        var settings = [
            ("statement_timeout", String(serverStatementTimeout)),
            ("lock_timeout", String(lockTimeout.milliseconds)),
            ("idle_in_transaction_session_timeout", String(idleInTransactionTimeout.milliseconds)),
            // A listener rests for as long as nothing happens.
            ("idle_session_timeout", "0"),
            // A client that stands still in the middle of an answer keeps its transaction's locks, and no other limit counts
            // while the server writes. Nothing happens on a Unix socket.
            ("tcp_user_timeout", "10000"),
            // Nor does a session of a host that has gone without a word stay for hours.
            ("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "2"),
            ("datestyle", "ISO, YMD"), ("intervalstyle", "iso_8601"), ("extra_float_digits", "1"),
            ("bytea_output", "hex"),
            // What is decided from a statement's result must be what other sessions have committed by then.
            ("default_transaction_isolation", "read committed"),
        ]
        // Each statement has its limit, and a migration takes longer than a company may allow to others.
        if serverVersion >= 170_000 { settings.append(("transaction_timeout", "0")) }
        let chosen = settings.filter { !userOptions.lowercased().contains($0.0) }
        // A commit that a crash may take back would let a worker act on what nobody else will know of.
        let durable =
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        return (chosen.map { "SET \($0.0) = '\($0.1)'" } + [durable]).joined(separator: "; ")
    }

    /// The server's own limit, in milliseconds: a little longer than ours, for the case that we cannot cancel.
    var serverStatementTimeout: Int { (statementTimeout + cancelGrace).milliseconds }
}

extension ConnectionConfiguration: CustomStringConvertible {
    /// Nothing of the connection string, which may hold a password.
    package var description: String { "connection configuration of \(applicationName)" }
}

extension Duration {
    /// Rounded up, at least 1.
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        return max(1, Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    }
}
