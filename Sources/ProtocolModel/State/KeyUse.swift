/// What becomes of the key with the next create (`KeyUse` of the code).
enum KeyUse: UInt8, Hashable {
    /// It stays, and its life goes on.
    case same
    /// It stays, and its life begins anew: a look-up found nothing after the provider may have forgotten it.
    case renewed
    /// It is replaced: it may only bring back a stored error.
    case new
}
