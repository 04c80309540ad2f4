import CPostgres
import Glibc

/// Owns one `PGconn`, or none before it is opened and after it is finished. Used only on its connection's thread.
@safe struct ConnectionHandle: ~Copyable {
    private var pointer: OpaquePointer?
    /// Set when the server says good-bye to an idle session, which may arrive before the end of the link does.
    private let farewell: UnsafeMutablePointer<Bool>

    init() {
        unsafe pointer = nil
        // Freed in deinit, after the connection that writes to it.
        unsafe farewell = .allocate(capacity: 1)
        unsafe farewell.initialize(to: false)
    }

    deinit {
        // Nobody else has the pointer; PQfinish does nothing with NULL.
        unsafe PQfinish(pointer)
        unsafe farewell.deallocate()
    }

    /// Begins to connect; false if not even that could be done. Resolving a name blocks here.
    mutating func start(_ keywords: [(String, String)]) -> Bool {
        // Called once for each connection that is tried; the last one is not leaked.
        unsafe PQfinish(pointer)
        // The server's farewell was to the connection before.
        unsafe farewell.pointee = false
        unsafe pointer = keywords.withKeywordLists { unsafe PQconnectStartParams($0, $1, 0) }
        guard unsafe pointer != nil else { return false }
        // The default receiver prints on stderr. Verbose, since only so a refusal shows its SQLSTATE.
        _ = unsafe PQsetNoticeReceiver(
            pointer,
            { farewell, notice in
                guard let severity = unsafe PQresultErrorField(notice, CInt(CPG_DIAG_SEVERITY)) else { return }
                // The pointer is the one below; an error to an idle session comes as a notice.
                guard unsafe strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 else { return }
                unsafe farewell?.assumingMemoryBound(to: Bool.self).pointee = true
            }, farewell)
        _ = unsafe PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
        return unsafe PQstatus(pointer) != CONNECTION_BAD
    }

    /// Goes on connecting.
    func pollConnect() -> PostgresPollingStatusType {
        // A live pointer, or NULL, which libpq answers with a failure; so in every line below.
        unsafe PQconnectPoll(pointer)
    }

    /// To be called once connected: non-blocking from now on, short messages.
    func becomeNonBlocking() -> Bool {
        _ = unsafe PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
        return unsafe PQsetnonblocking(pointer, 1) == 0
    }

    /// Closes it; allowed at any time, also twice.
    mutating func finish() {
        unsafe PQfinish(pointer)
        unsafe pointer = nil
    }

    /// Whether the link is up, as far as libpq has seen.
    var isOK: Bool { unsafe PQstatus(pointer) == CONNECTION_OK && !farewell.pointee }
    /// The socket, or -1. It may change while connecting.
    var socket: CInt { unsafe PQsocket(pointer) }
    /// Such as 150018.
    var serverVersion: Int { Int(unsafe PQserverVersion(pointer)) }
    /// The database's encoding; empty if the server has not told it.
    var serverEncoding: String {
        guard let encoding = unsafe PQparameterStatus(pointer, "server_encoding") else { return "" }
        return unsafe String(cString: encoding)
    }
    /// The process id of the server's process for this connection.
    var backendPID: Int { Int(unsafe PQbackendPID(pointer)) }
    /// Where the session stands in a transaction.
    var transactionStatus: PGTransactionStatusType { unsafe PQtransactionStatus(pointer) }

    /// What libpq says last, copied.
    var message: String {
        guard let text = unsafe PQerrorMessage(pointer) else { return "" }
        // Ends with a NUL and is valid until the next call.
        return unsafe String(cString: text)
    }

    /// The value that a keyword has for this connection, from the string, a service file, the environment or libpq's
    /// defaults; empty where there is none.
    func option(_ name: String) -> String {
        guard let list = unsafe PQconninfo(pointer) else { return "" }
        defer { unsafe PQconninfoFree(list) }
        var entry = unsafe list
        // The list ends with an entry whose keyword is NULL.
        while let keyword = unsafe entry.pointee.keyword {
            if unsafe strcmp(keyword, name) == 0, let value = unsafe entry.pointee.val {
                return unsafe String(cString: value)
            }
            unsafe entry += 1
        }
        return ""
    }

    /// Sends a text of one or many statements by the simple protocol.
    func send(script: String) -> Bool {
        unsafe PQsendQuery(pointer, script) == 1
    }

    /// Sends a request to prepare a statement under a name.
    func sendPrepare(_ statement: Statement, name: String) -> Bool {
        let types = statement.parameters.map(\.type)
        // libpq reads as many types as it is told.
        return unsafe PQsendPrepare(pointer, name, statement.sql, CInt(types.count), types) == 1
    }

    /// Sends a statement with its parameters, by its text or as prepared under the name.
    ///
    /// Results come as text. Measured with libpq 15 over a Unix socket, 100 rows of 20 columns like a claim's, read by
    /// C code: 148 µs as text, 131 to 146 µs as binary. So binary saves at most 0.2 µs a row, and would need a decoder
    /// for every type that a query may return, where any type can be read as its text.
    func send(_ statement: Statement, prepared name: String?) -> Bool {
        let parameters = statement.parameters
        var block: [UInt8] = []
        block.reserveCapacity(parameters.reduce(0) { $0 + ($1.bytes?.count ?? 0) + 1 })
        var starts: [Int] = []
        for parameter in parameters {
            starts.append(parameter.bytes == nil ? -1 : block.count)
            // The NUL ends text forms and gives an empty value an address, since NULL means NULL.
            block += (parameter.bytes ?? []) + [0]
        }
        let lengths = parameters.map { CInt($0.bytes?.count ?? 0) }
        let formats = parameters.map { CInt($0.isBinary ? 1 : 0) }
        let types = parameters.map(\.type)
        // All pointers point into the block, which stays where it is until the call has copied it.
        return unsafe block.withUnsafeBytes { bytes in
            let base = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            let values = unsafe starts.map { start in unsafe start < 0 ? nil : base.map { unsafe $0 + start } }
            let count = CInt(parameters.count)
            if let name {
                return unsafe PQsendQueryPrepared(pointer, name, count, values, lengths, formats, 0) == 1
            }
            return unsafe PQsendQueryParams(pointer, statement.sql, count, types, values, lengths, formats, 0) == 1
        }
    }

    /// Pushes what is still to be sent: 0 all sent, 1 more to send, -1 failed.
    func flush() -> CInt { unsafe PQflush(pointer) }
    /// Takes what has arrived; false if the link is broken.
    func consumeInput() -> Bool { unsafe PQconsumeInput(pointer) == 1 }
    /// Whether the next result is not complete yet.
    var isBusy: Bool { unsafe PQisBusy(pointer) == 1 }

    /// The next result; nil when there are no more.
    func nextResult() -> ResultHandle? {
        guard let result = unsafe PQgetResult(pointer) else { return nil }
        // The caller of PQgetResult owns what it returns.
        return unsafe ResultHandle(result)
    }

    /// The next notification that has arrived.
    func nextNotification() -> (channel: String, payload: String)? {
        guard let notify = unsafe PQnotifies(pointer) else { return nil }
        // Ours to free; both strings end with a NUL and are copied before.
        defer { unsafe PQfreemem(notify) }
        let channel = unsafe String(cString: notify.pointee.relname)
        return (channel, unsafe String(cString: notify.pointee.extra))
    }

    /// What is needed to cancel a statement from another thread.
    func makeCancel() -> CancelHandle? {
        guard let cancel = unsafe PQgetCancel(pointer) else { return nil }
        // The caller of PQgetCancel owns what it returns.
        return unsafe CancelHandle(cancel)
    }
}

extension [(String, String)] {
    /// Gives `body` the two lists of C strings that libpq takes; they are freed afterwards.
    func withKeywordLists<R>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> R
    ) -> R {
        let names: [UnsafePointer<CChar>?] = unsafe map { unsafe UnsafePointer(strdup($0.0)) } + [nil]
        let values: [UnsafePointer<CChar>?] = unsafe map { unsafe UnsafePointer(strdup($0.1)) } + [nil]
        // Both end with NULL; libpq copies what it needs before it returns.
        defer { unsafe (names + values).forEach { unsafe free(UnsafeMutableRawPointer(mutating: $0)) } }
        return unsafe body(names, values)
    }
}
