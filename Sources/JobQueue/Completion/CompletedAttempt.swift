package import JobModel

/// The end of one attempt, ready to be written.
package struct CompletedAttempt: Sendable {
    /// The claim that it ends.
    package let job: ClaimedJob
    /// What was done.
    package let step: Step
    /// What the provider call told.
    package let result: CallResult
    /// What becomes of the job.
    package let decision: Decision
    /// How long ago the request was sent, at the time of writing; nil when none was.
    package let sentAge: Duration?

    /// Puts the end of an attempt together.
    package init(job: ClaimedJob, step: Step, result: CallResult, decision: Decision, sentAge: Duration?) {
        self.job = job
        self.step = step
        self.result = result
        self.decision = decision
        self.sentAge = sentAge
    }
}

/// What the database says of one written attempt.
package struct WrittenAttempt: Sendable, Equatable {
    /// The job.
    package let id: JobID
    /// False: another worker has the job; the result was kept as late evidence.
    package let isWritten: Bool
    /// The state that the job is in now; nil when it was not written, or had been before.
    package let state: JobState?
}
