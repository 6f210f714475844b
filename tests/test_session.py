import json
from typing import Any

import pytest

from faceswapd.control import methods, token
from faceswapd.control.methods import Authenticate
from faceswapd.control.session import Call, Session
from faceswapd.core.events import SetProcessor

TOKEN = "5" * 64
NONCE = "ab" * 32


def verify(nonce: str, sent: Authenticate) -> str | None:
    return token.proof(TOKEN, sent.nonce, nonce) if token.proves(TOKEN, nonce, sent.nonce, sent.mac) else None


def locked() -> Session:
    return Session("1.2", ("preview",), verify)


def trusted() -> Session:
    return Session("1.2", (), None)


def message(method: str, params: Any = None, **more: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}, **more}).encode()


def reply(session: Session, data: bytes) -> dict[str, Any]:
    (item,) = session.receive(data).items
    assert isinstance(item, bytes)
    return dict(json.loads(item))


def test_it_greets_first() -> None:
    greeting = json.loads(locked().greeting())

    assert greeting["method"] == "hello"
    assert greeting["params"]["protocol"] == 1
    assert greeting["params"]["version"] == "1.2"
    assert greeting["params"]["features"] == ["preview"]
    assert greeting["params"]["auth"] == "hmac-sha256"
    assert json.loads(locked().greeting())["params"]["nonce"] != greeting["params"]["nonce"]


def test_hello_can_be_asked_for_again() -> None:
    session = locked()

    assert reply(session, message("hello"))["result"] == json.loads(session.greeting())["params"]


def test_the_right_proof_opens_it_and_the_server_proves_itself() -> None:
    session = locked()
    mac = token.proof(TOKEN, session.hello.nonce, NONCE)

    told = reply(session, message("auth", {"nonce": NONCE, "mac": mac}))

    assert told["result"] == {"ready": True, "mac": token.proof(TOKEN, NONCE, session.hello.nonce)}
    assert session.ready
    assert isinstance(session.receive(message("state.get")).items[0], Call)


@pytest.mark.parametrize("method", ["state.get", "privacy.set", "ping", "token.rotate"])
def test_nothing_is_called_before(method: str) -> None:
    session = locked()

    assert reply(session, message(method))["error"]["data"]["code"] == "unauthorized"
    assert not session.refused


def test_a_wrong_proof_ends_it_even_within_one_array() -> None:
    session = locked()
    right = token.proof(TOKEN, session.hello.nonce, NONCE)
    wrong = {"jsonrpc": "2.0", "id": 1, "method": "auth", "params": {"nonce": NONCE, "mac": "0" * 64}}
    again = {**wrong, "params": {"nonce": NONCE, "mac": right}}

    received = session.receive(json.dumps([wrong, again]).encode())

    assert len(received.items) == 1
    assert session.refused
    assert not session.ready


def test_a_proof_counts_once() -> None:
    session = locked()
    mac = token.proof(TOKEN, session.hello.nonce, NONCE)
    session.receive(message("auth", {"nonce": NONCE, "mac": mac}))

    assert reply(session, message("auth", {"nonce": NONCE, "mac": mac}))["error"]["code"] == -32001
    assert session.refused


def test_whom_the_system_vouches_for_is_ready_at_once() -> None:
    session = trusted()

    assert json.loads(session.greeting())["params"]["auth"] == "none"
    assert reply(session, message("auth", {"nonce": NONCE, "mac": "0" * 64}))["result"]["ready"]


def test_a_call_carries_a_command() -> None:
    (call,) = trusted().receive(message("processor.set", {"name": "anonymize", "enabled": True})).calls

    assert isinstance(call.params, methods.Change)
    assert call.params.commands() == (SetProcessor("anonymize", enabled=True),)
    assert not call.method.urgent


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (message("nix"), -32601),
        (message("processor.set"), -32602),
        (b"{", -32700),
        (b"5", -32600),
    ],
)
def test_a_refusal_is_a_reply(data: bytes, code: int) -> None:
    assert reply(trusted(), data)["error"]["code"] == code


def test_a_notification_gets_no_reply_even_when_it_is_wrong() -> None:
    session = trusted()
    silent = b'{"jsonrpc":"2.0","method":"processor.set","params":{}}'

    assert session.receive(silent).items == ()
    assert not session.receive(b'{"jsonrpc":"2.0","method":"ping"}').calls[0].wants_reply


def test_an_array_is_answered_by_an_array_unless_nothing_wants_a_reply() -> None:
    session = trusted()
    mixed = session.receive(b'[{"jsonrpc":"2.0","method":"ping","id":1}, 5]')

    assert [type(i) for i in mixed.items] == [Call, bytes]
    assert mixed.reply([b"1", b"2"]) == b"[1,2]"
    assert mixed.reply([]) is None


def test_urgent_methods_pass_the_others() -> None:
    urgent = {name for name, m in methods.METHODS.items() if m.urgent}

    assert urgent == {"privacy.set", "freeze.set", "hold", "ping"}
