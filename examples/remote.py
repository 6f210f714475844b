"""Follows the daemon and toggles a processor on Enter: a whole remote control.

python examples/remote.py [processor]
"""

import asyncio
import sys

from faceswapd.control.client import Client, connect


async def follow(remote: Client) -> None:
    await remote.call("subscribe", topics=["state"])
    async for event in remote.events():
        print(" ".join(f"{p['name']}={'on' if p['enabled'] else 'off'}" for p in event.data["processors"]))


async def main(processor: str) -> None:
    async with await connect() as remote, asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow(remote))
        while await asyncio.to_thread(sys.stdin.readline):
            await remote.call("processor.toggle", name=processor)
        following.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "anonymize"))
