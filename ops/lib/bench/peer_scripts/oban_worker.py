import asyncio

import oban
import psycopg_pool
from common import CONCURRENCY, JOBS, PAYLOAD, URL, Work, measure

work = Work()


@oban.worker(queue="create")
class Create:
    async def process(self, job):
        await work()


async def main():
    from oban.schema import install

    pool = psycopg_pool.AsyncConnectionPool(conninfo=URL, min_size=4, max_size=10, open=False)
    await pool.open()
    await install(pool)

    queue = oban.Oban(pool=pool, queues={"create": CONCURRENCY})
    for first in range(0, JOBS, 1000):
        await queue.enqueue_many([Create.new(PAYLOAD) for _ in range(min(1000, JOBS - first))])

    async def start():
        async with queue:
            await asyncio.Event().wait()

    await measure(work, start)


asyncio.run(main())
