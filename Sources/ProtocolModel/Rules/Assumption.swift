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
    /// What a sender that is gone left on the way lands, or never does, within the settle time of a look-up.
    case landsWithinSettleTime
    /// Who says `did_not_happen` knows that it will not happen any more either: no request is on its way
    /// and no worker is paused between its lease check and its send.
    case verdictHoldsForGood
    /// A definite refusal is of the body, not of the moment: the same body is never accepted before or after.
    case refusalIsOfTheBody
    /// 429, 401, 403 and 503 with `Retry-After` come before anything was done.
    case turnedAwayHasNoEffect
}
