import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswapd.control import protocol
from faceswapd.control.methods import METHODS
from faceswapd.control.protocol import Refused, Request, RpcError
from faceswapd.core.errors import NoDeviceError, UsageError


def only(data: bytes) -> Request | Refused:
    (request,) = protocol.parse(data).requests
    return request


def refused(data: bytes) -> Refused:
    request = only(data)
    assert isinstance(request, Refused)
    return request


def test_a_request_and_a_notification() -> None:
    request = only(b'{"jsonrpc":"2.0","id":"a","method":"face.set","params":{"name":"x"}}')
    assert isinstance(request, Request)
    assert (request.id, request.method, bytes(request.params)) == ("a", "face.set", b'{"name":"x"}')

    silent = only(b'{"jsonrpc":"2.0","method":"ping"}')
    assert isinstance(silent, Request)
    assert not isinstance(silent.id, str | int | float | None)


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        (b"", "parse_error", ""),
        (b"{", "parse_error", ""),
        (b"[" * 50_000, "parse_error", ""),
        (b'{"jsonrpc":"2.0","method":"ping","x":1}', "invalid_request", "$.x"),
        (b'{"jsonrpc":"1.0","method":"ping"}', "invalid_request", "$.jsonrpc"),
        (b'{"jsonrpc":"2.0","method":7}', "invalid_request", "$.method"),
        (b'{"jsonrpc":"2.0"}', "invalid_request", "$.method"),
        (b'{"jsonrpc":"2.0","method":"ping","id":[1]}', "invalid_request", "$.id"),
        (b"7", "invalid_request", "$"),
        (b"[]", "invalid_request", ""),
        (b'{"jsonrpc":"2.0","method":"ping","id":"%s"}' % (b"x" * 65536), "invalid_request", ""),
        (b"[" + b",".join([b"1"] * 65) + b"]", "invalid_request", ""),
    ],
)
def test_what_is_no_request(data: bytes, code: str, path: str) -> None:
    error = refused(data).error

    assert (error.code, error.path) == (code, path)


def test_a_wrong_request_keeps_its_id() -> None:
    assert refused(b'{"jsonrpc":"2.0","method":7,"id":"mine"}').id == "mine"


def test_an_array_is_read_one_by_one() -> None:
    message = protocol.parse(
        b'[{"jsonrpc":"2.0","method":"ping","id":1}, 1, {"jsonrpc":"2.0","method":"ping"}]'
    )

    assert message.array
    assert [type(r) for r in message.requests] == [Request, Refused, Request]


@pytest.mark.parametrize(
    ("method", "params", "code", "path"),
    [
        ("processor.set", {"name": 5}, "wrong_type", "$.params.name"),
        ("processor.set", {"name": ""}, "out_of_range", "$.params.name"),
        ("processor.set", {}, "missing_field", "$.params.name"),
        ("processor.set", {"name": "a", "nix": 1}, "unknown_field", "$.params.nix"),
        ("processor.set", {"name": "a", "params": {"b": [1]}}, "wrong_type", "$.params.params[...]"),
        ("processor.set", {"name": "a", "if_rev": -1}, "out_of_range", "$.params.if_rev"),
        ("subscribe", {"topics": ["weather"]}, "out_of_range", "$.params.topics[0]"),
        ("subscribe", {"topics": []}, "out_of_range", "$.params.topics"),
        ("subscribe", {"topics": ["preview"], "preview": {"fps": 99}}, "out_of_range", "$.params.preview.fps"),
        ("face.add", {"name": "a", "consent": "x", "data": "", "offset": 0, "total": 1}, "out_of_range",
         "$.params.consent"),
        ("face.add", {"name": "a", "consent": "self", "data": "?", "offset": 0, "total": 1}, "wrong_type",
         "$.params.data"),
        ("auth", {"nonce": "zz", "mac": "0"}, "out_of_range", "$.params.nonce"),
        ("ping", [1], "wrong_type", "$.params"),
    ],
)  # fmt: skip
def test_wrong_parameters_name_the_field(method: str, params: Any, code: str, path: str) -> None:
    with pytest.raises(RpcError) as caught:
        protocol.read(json.dumps(params).encode(), METHODS[method].params)

    assert (caught.value.code, caught.value.path) == (code, path)
    assert caught.value.rpc_code == -32602


def test_no_parameters_may_be_an_empty_list() -> None:
    assert protocol.read(b" [] ", METHODS["ping"].params) == METHODS["ping"].params()


def test_errors_of_the_daemon_keep_their_code_and_remedy() -> None:
    usage = RpcError.of(UsageError("no face 'x'", "see the list"), "$.params")
    lost = RpcError.of(NoDeviceError("no camera"), "$.params")

    assert (usage.rpc_code, usage.code, usage.path, usage.hint) == (
        -32602,
        "usage",
        "$.params",
        "see the list",
    )
    assert (lost.rpc_code, lost.code, lost.path) == (-32000, "no_device", "")


def test_replies_are_what_json_rpc_says() -> None:
    assert json.loads(protocol.result("a", {"b": 1})) == {"jsonrpc": "2.0", "id": "a", "result": {"b": 1}}
    assert json.loads(
        protocol.error(3, RpcError("rev_conflict", "moved", "$.params.if_rev", "again", 9))
    ) == {
        "jsonrpc": "2.0",
        "id": 3,
        "error": {
            "code": -32002,
            "message": "moved",
            "data": {"code": "rev_conflict", "path": "$.params.if_rev", "hint": "again", "rev": 9},
        },
    }
    assert json.loads(protocol.array([b"1", b"2"])) == [1, 2]


def test_preview_messages() -> None:
    message = protocol.preview(2**40, 5, (640, 360), b"jpeg")

    assert message[:24].hex() == "0101028001680000" + "0000010000000000" + "0000000000000005"
    assert protocol.previewed(message) == (2**40, 5, 640, 360, b"jpeg")
    assert protocol.previewed(protocol.preview(-1, 5, (640, 360), b"")).seq == -1


@pytest.mark.parametrize("message", [b"", b"\x01" * 23, b"\x02\x01" + bytes(22), b"\x01\x09" + bytes(22)])
def test_preview_messages_that_are_none(message: bytes) -> None:
    with pytest.raises(ValueError, match="preview message"):
        protocol.previewed(message)


def test_which_close_codes_say_stay_away() -> None:
    assert [c for c in protocol.CLOSE_CODES if not protocol.may_reconnect(c)] == [4100, 4101]
    assert protocol.may_reconnect(None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_anything_can_be_parsed(data: bytes) -> None:
    for request in protocol.parse(data).requests:
        if isinstance(request, Refused):
            reply = json.loads(protocol.error(request.id, request.error))
            assert reply["error"]["code"] in (-32700, -32600)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(METHODS)), JSON)
def test_anything_can_be_given_as_parameters(method: str, params: Any) -> None:
    try:
        read = protocol.read(json.dumps(params).encode(), METHODS[method].params)
    except RpcError as error:
        read, code = None, error.rpc_code
    else:
        code = 0
    assert isinstance(read, METHODS[method].params) if code == 0 else code in (-32602, -32700)
