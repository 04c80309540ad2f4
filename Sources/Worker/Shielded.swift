/// Runs `body` to its end even when the calling task is cancelled: the one home of clean-up.
///
/// The body bounds itself: its statements have deadlines.
func shielded<R: Sendable>(_ body: @escaping @Sendable () async -> R) async -> R {
    // Unstructured on purpose: a child would inherit the cancellation. It is awaited at once.
    await Task { await body() }.value
}
