import FoundationEssentials
import Testing

@testable import Providers

@Suite struct RetryAfterTests {
    private let now = Date(timeIntervalSince1970: 784_111_777)  // Sun, 06 Nov 1994 08:49:37 GMT

    @Test(arguments: [
        (["retry-after": "120"], Duration.seconds(120)), (["retry_after": "7"], .seconds(7)),
        (["retry-after": "0"], .zero),
        (["retry-after": "999999999999"], .seconds(86_400)),
        (["retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"], .seconds(30)),
        (["retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"], .zero),
        (["retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"], .seconds(86_400)),
        (["retry-after": "30.0"], .seconds(30)), (["retry-after": "30.5"], .seconds(31)),
        (["retry-after": "0.2"], .seconds(1)), (["retry-after": "99999999999999999999999.5"], .seconds(86_400)),
        (["retry-after": " 30\t "], .seconds(30)),
        (["retry-after": "Sunday, 06-Nov-94 08:50:07 GMT"], .seconds(30)),
        (["retry-after": "Sun Nov  6 08:50:07 1994"], .seconds(30)),
        (["retry-after": " sun, 06 nov 1994 08:50:07 gmt "], .seconds(30)),
        (["retry-after": "Monday, 07-Nov-05 08:49:37 GMT"], .seconds(86_400)),
        (["retry-after": "Monday, 06-Nov-72 08:49:37 GMT"], .zero),
        (["retry-after": "Sun Nov  6 09:49:37 1994", "date": "Sunday, 06-Nov-94 09:49:27 GMT"], .seconds(10)),
        (["retry-after": "soon", "retry_after": "7"], .seconds(7)),
        (["retry-after": "Sun, 06 Nov 1994 09:49:37 GMT", "date": "Sun, 06 Nov 1994 09:49:27 GMT"], .seconds(10)),
    ])
    func `every form is read, from the answer's own clock, up to a day`(headers: [String: String], wait: Duration) {
        #expect(RetryAfter.wait(headers, now: now) == wait)
    }

    @Test(arguments: [
        "", "-5", "soon", ".", ".5", "1.5.0", "1e3", "30 40", "5s", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994",
        "٣",
        "Sun Foo  6 08:50:07 1994", "Sun, 06 Nov 1994 08:49:37 CET",
    ])
    func `what cannot be read is no wish`(text: String) {
        #expect(RetryAfter.wait(["retry-after": text], now: now) == nil)
    }
}
