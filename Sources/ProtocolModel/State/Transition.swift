/// An event and where it leads.
struct Transition {
    let event: Event
    let state: ModelState
}
