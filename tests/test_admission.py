import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from faceswapd.control import admission
from faceswapd.core.errors import ConfigError
from faceswapd.core.settings import ControlSettings


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("192.168.1.2", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_what_is_loopback(host: str, is_one: bool) -> None:
    assert admission.is_loopback(host) is is_one


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example.org"])
def test_no_other_address_without_tls(host: str) -> None:
    with pytest.raises(ConfigError, match="can be reached from outside"):
        admission.tls(ControlSettings(host=host))


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")

    with pytest.raises(ConfigError, match=r"c\.pem"):
        admission.tls(ControlSettings(host="0.0.0.0", tls_certificate=str(tmp_path / "c.pem")))
    with pytest.raises(ConfigError, match="nowhere"):
        admission.tls(ControlSettings(tls_certificate="/nowhere.pem"))


NAMES = admission.names("127.0.0.1", 7865)


@pytest.mark.parametrize(
    ("origin", "host", "is_welcome"),
    [
        (None, "127.0.0.1:7865", True),
        (None, "localhost:7865", True),
        (None, "LOCALHOST:7865", True),
        (None, "[::1]:7865", True),
        ("http://localhost:7865", "localhost:7865", True),
        ("http://127.0.0.1:7865", "127.0.0.1:7865", True),
        (None, None, False),
        (None, "evil.example:7865", False),
        (None, "127.0.0.1", False),
        (None, "127.0.0.1:80", False),
        ("http://evil.example", "127.0.0.1:7865", False),
        ("http://localhost:8080", "127.0.0.1:7865", False),
        ("http://localhost:7865.evil.example", "127.0.0.1:7865", False),
        ("null", "127.0.0.1:7865", False),
        ("", "127.0.0.1:7865", False),
    ],
)
def test_origin_and_host(origin: str | None, host: str | None, is_welcome: bool) -> None:
    assert admission.welcome(origin, host, NAMES) is is_welcome


def test_more_names() -> None:
    names = admission.names("0.0.0.0", 7865, ["studio.lan", "proxy.lan:443"])

    assert {"studio.lan:7865", "proxy.lan:443", "localhost:7865"} <= names
    assert "0.0.0.0:7865" not in names
    assert admission.welcome("https://studio.lan:7865", "studio.lan:7865", names)


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_the_kernel_tells_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert admission.peer_uid(ours) == os.geteuid()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
               "-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", str(file) + ".crt"]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_with_a_certificate_any_address_is_served(certificate: Path) -> None:
    assert admission.tls(ControlSettings(host="0.0.0.0", tls_certificate=str(certificate))) is not None
