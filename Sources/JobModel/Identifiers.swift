/// The number of a job: `onboarding.jobs.id`.
package struct JobID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The number as PostgreSQL has it.
    package let value: Int64

    /// Wraps a number read from the database.
    package init(_ value: Int64) { self.value = value }

    package static func < (left: JobID, right: JobID) -> Bool { left.value < right.value }
    package var description: String { String(value) }
}

/// The fencing token of one claim: a write that carries an older token changes nothing.
///
/// Drawn from a sequence at each claim, never derived from the worker, so that a worker which
/// claims the same job twice holds two different tokens.
package struct ClaimToken: Hashable, Sendable {
    /// The number as PostgreSQL has it.
    package let value: Int64

    /// Wraps a number read from the database.
    package init(_ value: Int64) { self.value = value }
}

/// The name of one worker process for as long as it lives: host, process id and a random part.
package struct WorkerID: Hashable, Sendable, CustomStringConvertible {
    /// The name as it stands in `onboarding.workers.id` and `jobs.claimed_by`.
    package let value: String

    /// Wraps a name; callers make it unique for each process.
    package init(_ value: String) { self.value = value }

    package var description: String { value }
}

/// The name of a provider, as in `onboarding.providers.provider`.
package struct ProviderName: Hashable, Sendable, CustomStringConvertible {
    /// Lower-case name, for example `iron`.
    package let value: String

    /// Wraps a name; whether the provider exists is for the registry to say.
    package init(_ value: String) { self.value = value }

    package var description: String { value }
}

/// The kind of a job, as in `onboarding.jobs.kind`: `provider.resource.verb`.
package struct JobKind: Hashable, Sendable, CustomStringConvertible {
    /// The name, for example `iron.customer.create`.
    package let value: String
    /// The provider that it begins with, whether this program knows the kind or not.
    package let provider: ProviderName

    /// Wraps a name; whether the kind exists is for the registry to say.
    package init(_ value: String) {
        self.value = value
        provider = ProviderName(value.utf8.firstIndex(of: UInt8(ascii: ".")).map { String(value[..<$0]) } ?? value)
    }

    package var description: String { value }
}
