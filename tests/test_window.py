"""Windows on a real X server."""

from collections.abc import Iterator

import pytest
from capture_fakes import Stopwatch
from x11_desktop import ABOVE, HEIGHT, STACK, WIDTH, Painter, X, Y, missing, x_server

from faceswapd.capture import window as module
from faceswapd.capture.window import Window, find_window, x11_windows
from faceswapd.core.errors import DeviceLostError, NoDeviceError, UsageError
from faceswapd.native.xcb import Server, XError

BLUE, GREEN, RED, WHITE = 0x2040C0, 0x00FF00, 0xFF0000, 0xFFFFFF
FPS = 500

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with x_server() as name:
        yield name


@pytest.fixture
def painter(display: str) -> Iterator[Painter]:
    program = Painter(display)
    yield program
    program.close()  # its windows are closed with it


@pytest.fixture
def film(painter: Painter) -> int:
    return painter.window("The Film — Player", (50, 40), (320, 240), BLUE)


@pytest.fixture
def source(display: str, film: int) -> Iterator[Window]:
    window = Window("screen:window=film", "film", FPS, display)
    window.open()
    yield window
    window.close()


def middle(source: Window) -> int:
    """Its colour as 0xRRGGBB, and that it is of one colour."""
    pixels = source.read().pixels
    assert pixels.shape == (source.size[1], source.size[0], 3)
    assert pixels.flags.c_contiguous
    assert (pixels == pixels[0, 0]).all()
    blue, green, red = map(int, pixels[0, 0])
    return red << 16 | green << 8 | blue


def test_a_window_is_shown_though_it_is_covered(painter: Painter, source: Window) -> None:
    assert source.size == (320, 240)
    assert middle(source) == BLUE
    cover = painter.window("cover", (0, 0), (800, 600), WHITE)
    painter.place(cover, STACK, ABOVE)
    assert middle(source) == BLUE
    painter.end(cover)


def test_it_is_followed_where_it_goes(painter: Painter, film: int, source: Window) -> None:
    painter.place(film, X | Y, 700, 500)  # mostly beyond the screen's edge
    painter.paint(film, GREEN)
    assert middle(source) == GREEN
    painter.place(film, WIDTH | HEIGHT, 640, 360)
    assert middle(source) == GREEN
    assert source.size == (640, 360)
    painter.place(film, WIDTH | HEIGHT, 33, 17)
    assert middle(source) == GREEN
    assert source.size == (33, 17)
    painter.name(film, "another title")
    assert middle(source) == GREEN


def test_iconified_its_last_picture_stands(painter: Painter, film: int, source: Window) -> None:
    assert middle(source) == BLUE
    painter.hide(film)
    assert middle(source) == BLUE
    painter.paint(film, RED)
    painter.show(film)
    assert middle(source) == RED


def test_closed_it_is_lost_and_found_again(painter: Painter, film: int, source: Window) -> None:
    painter.end(film)
    with pytest.raises(DeviceLostError, match="screen:window=film was closed"):
        source.read()
    source.close()
    with pytest.raises(NoDeviceError, match="no window is called 'film'"):
        source.open()
    painter.window("A film again", (0, 0), (64, 48), RED)
    source.open()
    assert middle(source) == RED


def test_it_keeps_its_rate(monkeypatch: pytest.MonkeyPatch, film: int, display: str) -> None:
    watch = Stopwatch()
    monkeypatch.setattr("faceswapd.capture.ticker.time", watch)
    source = Window("screen:window=film", "film", 100, display)
    source.open()
    begin_s = watch.now_s
    for _ in range(20):
        source.read()
    assert watch.now_s - begin_s == pytest.approx(0.2)
    source.close()


def test_without_shared_memory_it_is_the_same_picture(
    monkeypatch: pytest.MonkeyPatch, film: int, display: str
) -> None:
    def refuse(server: Server, size: int) -> None:
        raise XError("the display shares no memory")

    monkeypatch.setattr(Server, "attach", refuse)
    source = Window("screen:window=film", "film", FPS, display)
    source.open()
    assert middle(source) == BLUE
    assert middle(source) == BLUE
    source.close()


def test_windows_are_listed_and_found_by_what_users_call_them(painter: Painter, display: str) -> None:
    one = painter.window("Terminal", (0, 0), (100, 100), RED)
    two = painter.window("Terminal", (0, 0), (100, 100), RED)
    painter.window("tiny", (0, 0), (4, 4), RED)
    old = painter.window("", (0, 0), (100, 100), RED)
    painter.name_in_latin(old, "Fenêtre")

    listed = x11_windows(display)

    assert [(w.title, w.size) for w in listed] == [("Terminal", (100, 100))] * 2 + [("Fenêtre", (100, 100))]
    server = painter.server
    assert find_window("FENÊ", server).number == f"{old:#x}"
    assert find_window(f"{two:#x}", server).number == f"{two:#x}"
    with pytest.raises(UsageError, match=rf"2 windows .* Terminal \({one:#x}\), Terminal \({two:#x}\)"):
        find_window("term", server)


def test_a_hidden_window_says_so(painter: Painter, film: int, display: str) -> None:
    painter.hide(film)
    with pytest.raises(NoDeviceError, match="is not shown: bring it up"):
        Window("screen:window=film", "film", FPS, display).open()


def test_without_a_display_there_are_none() -> None:
    with pytest.raises(NoDeviceError, match="no X11 display answers"):
        Window("screen:window=x", "x", FPS, ":4711").open()
    assert x11_windows(":4711") == ()


def test_without_composite_it_says_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch, film: int, display: str
) -> None:
    monkeypatch.setattr(Server, "has_composite", lambda _: False)
    with pytest.raises(NoDeviceError, match="no Composite: capture a region"):
        Window("screen:window=film", "film", FPS, display).open()


def test_a_display_that_ends_is_a_lost_window() -> None:
    with x_server() as name:
        program = Painter(name)
        program.window("film", (0, 0), (64, 64), BLUE)
        source = Window("screen:window=film", "film", FPS, name)
        source.open()
        source.read()
    with pytest.raises(DeviceLostError):
        source.read()
    source.close()
    program.close()


def test_libraries_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(display: str | None) -> None:
        raise OSError("libxcb-composite.so.0: cannot open shared object file")

    monkeypatch.setattr(module, "Server", refuse)
    with pytest.raises(NoDeviceError, match="install libxcb1"):
        Window("screen:window=film", "film", FPS).open()
    assert x11_windows() == ()
