from faceswapd.control import token
from faceswapd.control.pairing import MAX_OPEN, VALID_S, Pairing

TOKEN = "5" * 64


def test_a_code_lets_one_device_in_once() -> None:
    pairing = Pairing()
    code = pairing.code(0)

    assert pairing.admit("wrong", TOKEN, 1) is None
    paired = pairing.admit(code, TOKEN, 1)
    assert paired is not None
    assert paired.key == token.device_key(TOKEN, paired.device)
    assert pairing.admit(code, TOKEN, 1) is None


def test_a_code_grows_old() -> None:
    pairing = Pairing()
    code = pairing.code(0)

    assert pairing.admit(code, TOKEN, VALID_S + 1) is None
    assert pairing.admit(code, TOKEN, 1) is None


def test_codes_are_bounded_and_can_be_voided() -> None:
    pairing = Pairing()
    codes = [pairing.code(0) for _ in range(MAX_OPEN + 1)]

    assert len(set(codes)) == len(codes)
    assert pairing.admit(codes[0], TOKEN, 1) is None
    pairing.clear()
    assert pairing.admit(codes[-1], TOKEN, 1) is None


def test_every_device_has_its_own_key_and_none_is_the_token() -> None:
    assert len({TOKEN, token.device_key(TOKEN, "a" * 16), token.device_key(TOKEN, "b" * 16)}) == 3
    assert token.device_key("6" * 64, "a" * 16) != token.device_key(TOKEN, "a" * 16)
