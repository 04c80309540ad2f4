/// What a provider offers against a lost answer; the one thing in which kinds differ for the protocol.
package enum Policy: UInt8, CaseIterable, Hashable {
    /// A key and a look-up.
    case keyed
    /// A key, but this very job cannot be looked up: its payload lacks the field to ask by.
    case keyedBlind
    /// A look-up only.
    case lookUp
    /// Neither.
    case neither

    /// Whether a request sent twice under one key has one effect.
    var hasKey: Bool { self == .keyed || self == .keyedBlind }
    /// Whether the provider can be asked for the record.
    var canLookUp: Bool { self == .keyed || self == .lookUp }
    /// Whether the worker writes a mark of its own before it sends; elsewhere the claim counts as the send.
    var marksBeforeSend: Bool { !hasKey }
}
