import asyncio
import threading

from faceswapd.core.loops import tell


def test_a_loop_hears_a_thread() -> None:
    async def heard() -> tuple[int, str]:
        loop, said = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        told = list[bool]()

        def hear(number: int, *, word: str) -> None:
            said.set_result((number, word))

        thread = threading.Thread(target=lambda: told.append(tell(loop, hear, 1, word="now")))
        thread.start()
        result: tuple[int, str] = await said
        thread.join()
        assert told == [True]
        return result

    assert asyncio.run(heard()) == (1, "now")


def test_a_closed_loop_is_no_error() -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    assert not tell(loop, print)
