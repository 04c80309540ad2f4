import Testing

@testable import Worker

@Suite struct AnnouncerTests {
    @Test func `the more were told at once, the longer results gather for the next telling`() {
        for (told, pause) in [(1, 10), (10, 10), (57, 57), (200, 200), (1000, 200)] {
            #expect(Announcer.pause(after: told) == .milliseconds(pause))
        }
    }
}
