"""What the workers of all peers share: the work of one job, and the taking of the time."""
import asyncio
import os
import subprocess
import sys
import time
import uuid

import aiohttp

URL, JOBS, CONCURRENCY, PROVIDER = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

PAYLOAD = {
    "first_name": "Ada", "last_name": "Bench", "email": "bench1@example.com", "phone": "+2348000000000", "type": "individual",
    "billing_address": {"line1": "Road 1", "city": "Lagos", "state": "Lagos", "country": "NG", "zip_code": "100001"},
}


class Work:
    """Called once a job; knows when the first began and the last ended."""

    def __init__(self):
        self.begun = None
        self.count = 0
        self.ended = asyncio.Event()
        self.session = None

    async def __call__(self, *_):
        if self.begun is None:
            self.begun = time.monotonic()
            if PROVIDER != "-":
                self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY))
        if self.session:
            async with self.session.post(PROVIDER, json=PAYLOAD, headers={"Idempotency-Key": str(uuid.uuid4())}) as answer:
                if answer.status != 201:
                    raise RuntimeError(f"answered {answer.status}")
                await answer.read()
        self.count += 1
        if self.count == JOBS:
            self.seconds = time.monotonic() - self.begun
            self.ended.set()


def books():
    """Bytes of WAL so far, and transactions committed in this database."""
    read = subprocess.run([os.environ["PSQL"], "-qXAt", "-F", " ", "-d", URL, "-c", """SELECT
        pg_current_wal_lsn() - '0/0'::pg_lsn, xact_commit FROM pg_stat_database WHERE datname = current_database()"""],
        capture_output=True, text=True, check=True)
    return [int(number) for number in read.stdout.split()]


async def measure(work, start):
    """Starts a worker by `start` and tells its rate, its WAL, and the commits there were before it."""
    wal, commits = books()
    worker = asyncio.ensure_future(start())
    ended = asyncio.ensure_future(work.ended.wait())
    await asyncio.wait([worker, ended], return_when=asyncio.FIRST_COMPLETED)
    if not work.ended.is_set() and worker.done() and worker.exception():
        raise worker.exception()
    await asyncio.wait_for(ended, 600)
    # The last results are written behind the handlers' backs.
    await asyncio.sleep(0.5)
    print(f"rate {JOBS / work.seconds}\nwal_bytes {books()[0] - wal}\ncommits_before {commits}", flush=True)
    # Not every worker ends when asked.
    os._exit(0)
