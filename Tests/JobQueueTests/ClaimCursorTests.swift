import Testing

@testable import JobQueue

@Suite struct ClaimCursorTests {
    private typealias Position = ClaimCursor.Position

    private func at(_ second: Int, _ id: Int64 = 1) -> Position {
        Position(runAt: "2026-01-01 00:00:0\(second)+00", id: id)
    }

    @Test func `the first claim is a sweep and the next goes on behind what it brought`() {
        var cursor = ClaimCursor()
        #expect(cursor.look == .sweep)
        #expect(cursor.positions.allSatisfy { $0 == nil })
        cursor.claimed([5: at(3)])
        #expect(cursor.look == .onward)
        #expect(cursor.positions[5] == at(3))
        #expect(cursor.positions[4] == nil)
    }

    @Test func `a sweep that brings nothing keeps the place`() {
        var cursor = ClaimCursor()
        cursor.claimed([5: at(3)])
        cursor.begin(.sweep)
        #expect(cursor.positions[5] == nil)
        cursor.claimed([:])
        #expect(cursor.positions[5] == at(3))
    }

    @Test func `a sweep goes on from what it brought, where it may have left more`() {
        var cursor = ClaimCursor()
        cursor.claimed([1: at(8), 5: at(8), 9: at(8)])
        cursor.begin(.sweep)
        cursor.claimed([1: at(2), 5: at(3)])
        #expect(cursor.positions[1] == at(8))
        #expect(cursor.positions[5] == at(3))
        #expect(cursor.positions[9] == at(8))
    }

    @Test func `what lies before the place of a look back came from far back`() {
        var cursor = ClaimCursor()
        #expect(!cursor.isFarBack(at(1), priority: 5))
        cursor.claimed([5: at(3)])
        cursor.claimed([5: at(9)])
        #expect(!cursor.isFarBack(at(3), priority: 5))
        #expect(cursor.isFarBack(at(2), priority: 5))
        #expect(!cursor.isFarBack(at(2), priority: 4))
    }

    @Test func `ids order jobs of one time, and fractions of a second are later than whole ones`() {
        #expect(at(1, 1) < at(1, 2))
        #expect(at(1, 2) < Position(runAt: "2026-01-01 00:00:01.5+00", id: 1))
    }

    @Test func `a look back begins where the cursor was when its place was remembered last but one`() {
        var cursor = ClaimCursor()
        // The first place of a priority is as far back as is known.
        cursor.claimed([5: at(1)])
        cursor.claimed([5: at(2)])
        cursor.begin(.back)
        #expect(cursor.positions[5] == at(1))
        #expect(cursor.positions[4] == nil)
        cursor.begin(.onward)
        cursor.remember()
        cursor.claimed([5: at(4)])
        cursor.begin(.back)
        #expect(cursor.positions[5] == at(1))
        cursor.remember()
        #expect(cursor.positions[5] == at(2))
        // What it brought lies before the place: there may be more.
        cursor.claimed([5: at(3)])
        #expect(cursor.positions[5] == at(3))
        cursor.remember()
        cursor.begin(.sweep)
        cursor.claimed([5: at(1)])
        cursor.begin(.back)
        #expect(cursor.positions[5] == at(1))
    }
}
