/// The state of a job, spelt as in `onboarding.jobs.state`.
package enum JobState: String, Sendable, CaseIterable {
    /// Waits for another job; can go to: `available` when that completes, `cancelled` when it does not.
    case blocked
    /// May be claimed once due; can go to: `running`, `cancelled`, `failed` (expired).
    case available
    /// Claimed by a worker, which may be calling the provider.
    case running
    /// Created at the provider, which has not decided yet.
    case waiting
    /// The provider may or may not have acted; only a verdict or late evidence tells.
    case uncertain
    /// The provider's id is in the row.
    case completed
    /// Refused for good, or attempts or time used up.
    case failed
    /// Withdrawn.
    case cancelled
}
