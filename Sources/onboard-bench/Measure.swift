import Foundation

/// Reads the clocks that figures are made of.
enum Measure {
    /// The wall clock in microseconds: what two processes of one machine can compare.
    static func realtimeMicroseconds() -> Int64 { nanoseconds(CLOCK_REALTIME) / 1000 }

    /// The processor time that this process has used, of all its threads, in seconds.
    static func processorSeconds() -> Double { Double(nanoseconds(CLOCK_PROCESS_CPUTIME_ID)) / 1_000_000_000 }

    /// One line to standard output, at once.
    static func report(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // It cannot fail with a clock that exists.
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
