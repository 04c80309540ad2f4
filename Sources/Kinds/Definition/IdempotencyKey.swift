/// How a provider takes the key that makes a resend harmless.
package struct IdempotencyKey: Sendable {
    /// The header that carries it.
    package let header: String
    /// How long after the first request the provider still knows it.
    package let life: Duration
    /// Whether a request without one is refused.
    package let isRequired: Bool
    /// The status with which another body under a used key is refused.
    package let reuseStatus: Int

    /// Takes all four.
    package init(header: String, life: Duration, isRequired: Bool, reuseStatus: Int = 400) {
        self.header = header
        self.life = life
        self.isRequired = isRequired
        self.reuseStatus = reuseStatus
    }
}
