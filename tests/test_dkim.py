"""DKIM signatures, judged by an independent verifier."""

from __future__ import annotations

import stat
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import dkim as dkimpy
import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from digest.deliver import dkim
from digest.errors import ConfigError

MAIL = (
    b"From: Papers <papers@example.org>\r\nTo: me@example.org\r\nSubject: A subject\r\n"
    b"  over two lines\r\nDate: Fri, 21 Nov 2025 08:00:00 +0000\r\nMessage-ID: <a@example.org>\r\n"
    b"List-Unsubscribe: <https://example.org/unsubscribe/1/a>,\r\n <mailto:papers@example.org>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n\r\n"
    b"Hello,  you \t \r\n.dots\r\n\r\n\r\n"
)
Signed = tuple[bytes, Callable[..., bytes]]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dkim.Key]:
    """Make a key of each kind."""
    folder = tmp_path_factory.mktemp("keys")
    for kind in ("rsa", "ed25519"):
        dkim.make(folder / kind, kind)
    return {kind: dkim.load("example.org", kind, folder / kind) for kind in ("rsa", "ed25519")}


def verified(message: bytes, keys: dict[str, dkim.Key], number: int = 0) -> bool:
    records = {f"{key.name}.".encode(): key.record.encode() for key in keys.values()}
    checker = dkimpy.DKIM(message)
    try:
        return bool(checker.verify(idx=number, dnsfunc=lambda name, timeout=5: records.get(name)))
    except dkimpy.ValidationError:  # the body's hash, or a tag
        return False


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_another_implementation_finds_each_kind_of_signature_valid(
    kind: str, keys: dict[str, dkim.Key]
) -> None:
    signed = dkim.signer([keys[kind]])(MAIL)

    assert signed.endswith(MAIL)
    assert verified(signed, keys)


def test_two_keys_make_two_valid_signatures(keys: dict[str, dkim.Key]) -> None:
    signed = dkim.signer([keys["rsa"], keys["ed25519"]])(MAIL)

    assert [True, True] == [verified(signed, keys, number) for number in (0, 1)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Hello", b"Hullo"),
        (b"A subject", b"Another subject"),
        (b"One-Click", b"Two-Clicks"),
        (b"/unsubscribe/1/", b"/unsubscribe/2/"),
        (b"To: me", b"From: somebody@example.net\r\nTo: me"),
        (b"To: me", b"Subject: buy\r\nTo: me"),
        (b"To: me", b"Reply-To: somebody@example.net\r\nTo: me"),
        (b"t=", b"t=1"),
    ],
)
def test_a_mail_that_was_changed_or_added_to_is_no_longer_valid(
    before: bytes, after: bytes, keys: dict[str, dkim.Key]
) -> None:
    signed = dkim.signer([keys["ed25519"]])(MAIL)

    assert before in signed
    assert not verified(signed.replace(before, after, 1), keys)


def test_white_space_changed_on_the_way_does_no_harm(keys: dict[str, dkim.Key]) -> None:
    signed = dkim.signer([keys["ed25519"]])(MAIL)
    moved = signed.replace(b"Hello,  you \t \r\n", b"Hello, you\r\n").replace(
        b": A s", b":\r\n  A  s"
    )

    assert verified(moved, keys)


def test_every_try_signs_the_same_bytes_with_the_mail_s_own_time(keys: dict[str, dkim.Key]) -> None:
    sign = dkim.signer(list(keys.values()))

    assert sign(MAIL) == sign(MAIL)
    assert 2 == sign(MAIL).count(b" t=1763712000;")


def test_no_header_line_of_a_signature_is_long(keys: dict[str, dkim.Key]) -> None:
    assert max(map(len, dkim.signer([keys["rsa"]])(MAIL).split(b"\r\n"))) <= 78


def test_both_unsubscribe_headers_are_covered(keys: dict[str, dkim.Key]) -> None:
    signature = message_from_bytes(dkim.signer([keys["rsa"]])(MAIL))["DKIM-Signature"]
    [covered] = [tag for tag in signature.split(";") if tag.strip().startswith("h=")]
    names = "".join(covered.split()).removeprefix("h=").split(":")

    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(names)
    assert 2 == names.count("from")
    assert "l=" not in signature.replace(" l=", "l=").split(";")


@given(st.text(alphabet="a .\t\r\n", max_size=40))
def test_bodies_are_canonical_as_another_implementation_has_it(text: str) -> None:
    body = "".join(f"{line}\r\n" for line in text.splitlines()).encode()
    other = Relaxed.canonicalize_body(body)

    assert (b"" if other == b"\r\n" else other) == dkim.relaxed_body(body)


def test_a_mail_of_ours_has_no_white_space_to_fold(gallery: Path) -> None:
    for path in gallery.glob("*.eml"):
        body = path.read_bytes().partition(b"\r\n\r\n")[2]
        assert body == dkim.relaxed_body(body), path.name


def test_a_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    dkim.make(tmp_path / "key", "ed25519")

    assert 0o600 == stat.S_IMODE((tmp_path / "key").stat().st_mode)
    with pytest.raises(ConfigError, match="exists already"):
        dkim.make(tmp_path / "key", "rsa")


@pytest.mark.parametrize("content", [b"", b"no key", None])
def test_what_is_no_key_is_an_error_with_its_place(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError, match=r"dkim\.key: .*/key: "):
        dkim.load("example.org", "d", tmp_path / "key")
