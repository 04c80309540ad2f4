/// What the protocol needs from the world to keep its promises; each can be dropped to see what then breaks.
///
/// "At most one effect" is not the worker's alone to give: these are the other half of it.
enum Assumption: UInt8, CaseIterable, Hashable {
    /// The provider applies a key and remembers it in one step: two requests under one key that arrive
    /// together have one effect, for as long as it remembers the key. Keyed providers need it.
    case keyMemoryIsAtomic
    /// A request under a key lands, or never does, before the provider forgets the key: pauses and travel
    /// are shorter than the margin that is left of the key's life. Keyed providers need it.
    case landsBeforeKeyIsForgotten
    /// A request has its effect, or never does, within the effect horizon after its last byte. So does one whose worker
    /// stopped between its last lease check and the write that follows.
    case landsWithinHorizon
    /// Who says `did_not_happen` knows that it will not happen any more either: no request is on its way
    /// and no worker is paused between its lease check and its send.
    case verdictHoldsForGood
    /// 429, 401 and 403 come before anything was done.
    case turnedAwayHasNoEffect
}
