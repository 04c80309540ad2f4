/// The recovery that a provider's operation allows when an answer is lost.
package struct RecoveryPolicy: Sendable, Equatable {
    /// When the same request may be sent again although an earlier one may have arrived.
    package enum Resend: Sendable, Equatable {
        /// The stored key makes a resend harmless for `life` after the first send.
        case underSameKey(life: Duration)
        /// Only once a look-up has found nothing, made when no request can be on its way any more.
        case afterLookUp
        /// Never: neither a key nor a look-up protects it.
        case never
    }

    /// When a resend is safe.
    package let resend: Resend
    /// Whether the provider can be asked for the record at all.
    package let offersLookUp: Bool

    /// Whether the worker writes, before the first byte leaves, that a request may have been sent. Under a key the
    /// claim alone is taken for a send, since one send more is harmless.
    package var marksBeforeSend: Bool {
        if case .underSameKey = resend { false } else { true }
    }

    /// Describes an operation; `never` with a look-up is not a combination any provider has.
    package init(resend: Resend, offersLookUp: Bool) {
        self.resend = resend
        self.offersLookUp = offersLookUp
    }
}
