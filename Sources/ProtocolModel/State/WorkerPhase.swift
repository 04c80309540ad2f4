/// Where a worker stands with its attempt. It may rest in any of these for as long as it likes: a stall and the
/// end of one are not events, only the absence of the next.
enum WorkerPhase: UInt8, Hashable {
    /// Has no claim.
    case idle
    /// Holds a claim and has done nothing for it.
    case claimed
    /// Wrote its mark, where there is one to write.
    case marked
    /// Past its lease check: whatever happens to the lease now, its create is on its way, be it held up in this
    /// process, in a connection that is being made, or at the provider. No answer yet.
    case sent
    /// Knows how the attempt ended and has not written it.
    case answered
    /// Its process is gone and its claim is not yet taken over.
    case dead
}
