import SeededRandom
import Testing

@testable import Postgres

@Suite struct PoolStateMachineTests {
    typealias Machine = PoolStateMachine<Int, Int>

    /// What a user of the machine holds.
    struct World {
        var machine = Machine(size: 3, maxWaiters: 5)
        var leased: [Int] = []
        var opening = 0
        var line: [(id: Int, waiter: Int)] = []
        var next = 0

        mutating func take(_ grant: Machine.Grant) {
            switch grant {
            case .lease(let connection): leased.append(connection)
            case .open: opening += 1
            }
        }

        mutating func take(_ handovers: [Machine.Handover]) {
            for handover in handovers {
                // First come, first served.
                #expect(line.first?.waiter == handover.waiter)
                line.removeFirst()
                take(handover.grant)
            }
        }

        mutating func step(_ generator: inout Seeded) {
            next += 1
            switch Int.random(in: 0..<7, using: &generator) {
            case 0, 1:
                switch machine.requested(next) {
                case .granted(let grant): take(grant)
                case .wait(let id): line.append((id, next))
                case .refused: #expect(line.count == 5)
                case .shutDown: Issue.record("not shut down")
                }
            case 2 where opening > 0:
                opening -= 1
                leased.append(next)
                take(machine.opened())
            case 3 where opening > 0:
                opening -= 1
                take(machine.openFailed(pause: .seconds(1)))
            case 4 where !leased.isEmpty:
                take(machine.returned(leased.removeFirst()).handovers)
            case 5 where !leased.isEmpty:
                leased.removeFirst()
                take(machine.dropped())
            case 6 where !line.isEmpty:
                let index = Int.random(in: 0..<line.count, using: &generator)
                let place = line.remove(at: index)
                #expect(machine.gaveUp(place.id) == place.waiter)
                #expect(machine.gaveUp(place.id) == nil)
            default: break
            }
        }
    }

    @Test(arguments: 0..<50)
    func `it never leases more than its size, and nobody waits beside something free`(seed: Int) {
        var generator = Seeded(UInt64(seed))
        var world = World()
        for _ in 0..<500 {
            world.step(&generator)
            let machine = world.machine
            #expect(machine.leased == world.leased.count && machine.opening == world.opening)
            #expect(machine.waiting == world.line.count)
            #expect(machine.leased + machine.opening + machine.idle.count <= 3)
            #expect(Set(world.leased + machine.idle).count == world.leased.count + machine.idle.count)
            #expect(machine.waiting == 0 || machine.idle.isEmpty)
            // Somebody is on the way to serve the line.
            #expect(machine.waiting == 0 || machine.leased + machine.opening > 0)
        }
    }

    @Test func `after a failure one at a time tries again, after the pause`() {
        var machine = Machine(size: 3, maxWaiters: 5)
        for waiter in 0..<3 { _ = machine.requested(waiter) }
        _ = machine.openFailed(pause: .seconds(1))
        _ = machine.openFailed(pause: .seconds(1))
        guard case .wait = machine.requested(3) else {
            Issue.record("a second attempt beside the one under way")
            return
        }
        let handovers = machine.openFailed(pause: .seconds(2))
        guard handovers.count == 1, case .open(after: .seconds(2)) = handovers[0].grant else {
            Issue.record("the waiter does not try")
            return
        }
        #expect(machine.opening == 1)
    }

    @Test func `after the shutdown nothing is leased and what comes back is closed`() {
        var machine = Machine(size: 1, maxWaiters: 5)
        _ = machine.requested(0)
        _ = machine.opened()
        _ = machine.requested(1)
        #expect(machine.shutDown().waiters == [1])
        guard case .shutDown = machine.requested(2) else {
            Issue.record("granted")
            return
        }
        #expect(machine.returned(7).mustClose)
        #expect(machine.idle.isEmpty)
    }
}
