import asyncio
import json
import sys
from datetime import timedelta

import asyncpg
from common import CONCURRENCY, JOBS, PAYLOAD, URL, Work, measure
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries


# asyncpg takes the socket's folder only where no host stands.
DSN = URL.replace("@localhost/", "@/")
BATCH = int(sys.argv[5])


async def main():
    setup = await asyncpg.connect(DSN)
    queries = Queries(AsyncpgDriver(setup))
    await queries.install()
    payload = json.dumps(PAYLOAD).encode()
    for first in range(0, JOBS, 1000):
        count = min(1000, JOBS - first)
        await queries.enqueue(["create"] * count, [payload] * count, [0] * count)
    await setup.execute("VACUUM ANALYZE pgqueuer")
    await setup.execute("CHECKPOINT")
    work = Work()
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(DSN)))
    queue.entrypoint("create")(work.__call__)

    await measure(work, lambda: queue.run(
        batch_size=BATCH, max_concurrent_tasks=CONCURRENCY, dequeue_timeout=timedelta(seconds=1)))


asyncio.run(main())
