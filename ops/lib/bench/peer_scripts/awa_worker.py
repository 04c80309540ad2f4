import asyncio
from dataclasses import dataclass

from awa import AsyncClient
from common import CONCURRENCY, JOBS, PAYLOAD, URL, Work, measure


@dataclass
class Create:
    payload: dict


async def main():
    client = AsyncClient(URL, max_connections=20)
    await client.migrate()
    await client.install_queue_storage()
    work = Work()

    @client.task(Create, queue="create")
    async def create(job):
        await work()

    async def start():
        await client.start([("create", CONCURRENCY)])
        await asyncio.Event().wait()

    for first in range(0, JOBS, 1000):
        await client.enqueue_many_copy([Create(PAYLOAD)] * min(1000, JOBS - first), queue="create")
    transaction = await client.transaction()
    await transaction.execute("CHECKPOINT")
    await transaction.commit()
    await measure(work, start)


asyncio.run(main())
