import asyncio
import logging

import procrastinate
from common import CONCURRENCY, JOBS, PAYLOAD, URL, Work, measure

logging.disable(logging.CRITICAL)
work = Work()


async def main():
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URL, min_size=4, max_size=10))

    @app.task(name="create")
    async def create(**payload):
        await work()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for first in range(0, JOBS, 1000):
            await create.batch_defer_async(*[{"payload": PAYLOAD}] * min(1000, JOBS - first))
        await app.connector.execute_query_async("CHECKPOINT")

        await measure(work, lambda: app.run_worker_async(
            concurrency=CONCURRENCY, wait=True, install_signal_handlers=False, delete_jobs="never"))


asyncio.run(main())
