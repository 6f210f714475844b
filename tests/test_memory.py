from fakes import frame

from faceswapd.sinks.memory import MemorySink
from faceswapd.sinks.sink import WhenFull


def test_the_last_frames_are_kept_and_all_are_counted() -> None:
    sink = MemorySink(keep=2)
    sink.open()
    frames = [frame(n) for n in range(5)]
    for f in frames:
        sink.put(f)
    sink.close()

    assert sink.frames == tuple(frames[-2:])
    assert sink.count == 5


def test_without_room_it_only_counts() -> None:
    sink = MemorySink()
    sink.put(frame())

    assert sink.frames == ()
    assert sink.count == 1


def test_its_policy_is_the_makers_choice() -> None:
    assert MemorySink().when_full is WhenFull.NEWEST
    assert MemorySink(when_full=WhenFull.WAIT).when_full is WhenFull.WAIT
    assert not MemorySink().steady
