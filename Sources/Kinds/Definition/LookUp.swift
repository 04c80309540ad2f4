/// How a provider is asked for a record that an earlier request may have made.
package struct LookUp: Sendable {
    /// What a 200 shows.
    package enum Search: Sendable {
        /// The record that has the value of `key`, a field of payload and record.
        case record(key: String)
        /// A list of the records that have the value of `key`.
        case filtered(key: String)
        /// All records of one parent, of which at most one is open; ours is the newest that this job's requests may have
        /// made.
        case siblings(Siblings)
    }

    /// How a job's record is told from the others of its parent.
    package struct Siblings: Sendable {
        /// The member with the parent's id, named as the job's parameter.
        package let parent: String
        /// The member with the moment of creation.
        package let createdAt: String
        /// Statuses of records that are over.
        package let closed: Set<String>
        /// Statuses of records that are open and in nobody's way.
        package let decided: Set<String>

        /// Takes all four.
        package init(parent: String, createdAt: String, closed: Set<String>, decided: Set<String>) {
            self.parent = parent
            self.createdAt = createdAt
            self.closed = closed
            self.decided = decided
        }
    }

    /// The path with its query. A job that lacks a value of it cannot be looked up.
    package let path: PathTemplate
    /// What a 200 shows.
    package let search: Search
    /// How a list goes on; nil where the answer is no list.
    package let pages: Pages?

    /// A search for one record.
    package init(_ path: PathTemplate, key: String) {
        self.init(path, .record(key: key))
    }

    /// Any search.
    package init(_ path: PathTemplate, _ search: Search, pages: Pages? = nil) {
        self.path = path
        self.search = search
        self.pages = pages
    }

    /// Whether the path alone says whose records are shown.
    package var isProvedByPath: Bool { if case .siblings = search { true } else { false } }

    /// The field by which one record is asked for.
    package var key: String? {
        switch search {
        case .record(let key), .filtered(let key): key
        case .siblings: nil
        }
    }

    /// The fields of the payload without which a job cannot be looked up.
    package var payloadFields: [String] {
        path.sources.compactMap { if case .payload(let path) = $0 { path.first } else { nil } }
    }
}
