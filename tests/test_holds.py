from faceswapd.control.holds import Holds


def test_the_last_to_let_go_turns_it_off() -> None:
    holds = Holds()
    holds.take("mask", "a", 10, was_on=False)
    holds.take("mask", "b", 12, was_on=True)

    assert not holds.release("mask", "a")
    assert holds.release("mask", "b")
    assert "mask" not in holds


def test_what_was_on_before_stays_on() -> None:
    holds = Holds()
    holds.take("mask", "a", 10, was_on=True)

    assert not holds.release("mask", "a")


def test_a_lease_that_is_not_renewed_ends() -> None:
    holds = Holds()
    holds.take("mask", "a", 10, was_on=False)
    holds.take("blur", "a", 5, was_on=False)
    holds.take("blur", "a", 15, was_on=False)

    assert holds.next_s() == 10
    assert holds.expired(9.9) == []
    assert holds.expired(10) == ["mask"]
    assert holds.expired(14) == []
    assert holds.expired(15) == ["blur"]
    assert holds.next_s() is None


def test_a_client_that_is_gone_lets_go_of_everything_it_held() -> None:
    holds = Holds()
    holds.take("mask", "a", 10, was_on=False)
    holds.take("blur", "a", 10, was_on=False)
    holds.take("blur", "b", 10, was_on=False)

    assert holds.gone("a") == ["mask"]
    assert holds.gone("b") == ["blur"]
    assert holds.gone("c") == []


def test_who_says_outright_ends_the_leases() -> None:
    holds = Holds()
    holds.take("mask", "a", 10, was_on=False)
    holds.forget("mask")
    assert not holds.release("mask", "a")

    holds.take("mask", "a", 10, was_on=False)
    holds.clear()
    assert holds.gone("a") == []
