import hashlib
import hmac
import os
import threading
from pathlib import Path

import pytest
from newsletter.addresses import Address, suppression_key_of
from newsletter.errors import ConfigError
from newsletter.message.keys import KeyRing

from tests.message.samples import KEYS

ANNA = Address.parse("Anna@example.org")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "newsletter.key"


def test_a_new_key_file_is_private_and_reads_back(path: Path) -> None:
    made = KeyRing.load_or_create(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert made == KeyRing.load(path) == KeyRing.load_or_create(path)
    assert [path] == list(path.parent.iterdir())
    assert 1 == made.signing_key_id
    assert 32 == len(made.pepper)


def test_two_projects_share_no_secret(tmp_path: Path) -> None:
    one, two = (KeyRing.load_or_create(tmp_path / name) for name in ("one", "two"))
    assert one.pepper != two.pepper
    assert one.secrets != two.secrets
    assert one.pepper != one.secrets[1]


def test_a_lax_umask_makes_no_lax_file(path: Path) -> None:
    before = os.umask(0)
    try:
        KeyRing.load_or_create(path)
        KeyRing.rotate(path)
    finally:
        os.umask(before)
    assert 0o600 == path.stat().st_mode & 0o777


def test_many_that_create_at_once_end_with_the_same_keys(path: Path) -> None:
    rings: list[KeyRing] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait(timeout=10)
        rings.append(KeyRing.load_or_create(path))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert [KeyRing.load(path)] * 8 == rings
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    KeyRing.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=r"chmod 600 newsletter\.key"):
        KeyRing.load(path)


def test_a_pipe_is_not_waited_for_and_a_huge_file_is_not_read(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="pipe or device"):
        KeyRing.load(path)
    path.unlink()
    KeyRing.load_or_create(path)
    with path.open("ab") as file:
        file.truncate(20_000_000)
    with pytest.raises(ConfigError, match="damaged"):
        KeyRing.load(path)


def test_a_missing_file_is_not_made_by_loading(path: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        KeyRing.load(path)
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"pepper = ",
        b'pepper = "00"\n[keys]\n1 = "00"\n',
        b'pepper = "%s"\n' % (b"0" * 64),
        b'pepper = "%s"\n[keys]\n' % (b"0" * 64),
        b'pepper = "%s"\n[keys]\n0 = "%s"\n' % (b"0" * 64, b"0" * 64),
        b'pepper = "%s"\n[keys]\n70000 = "%s"\n' % (b"0" * 64, b"0" * 64),
        b'pepper = "%s"\n[keys]\nx = "%s"\n' % (b"0" * 64, b"0" * 64),
        b'pepper = "%s"\nkeys = 1\n' % (b"0" * 64),
        b'pepper = 5\n[keys]\n1 = "%s"\n' % (b"0" * 64),
        b'other = 5\npepper = "%s"\n[keys]\n1 = "%s"\n' % (b"0" * 64, b"0" * 64),
        b'pepper = "%s"\n[secrets]\n' % (b"0" * 64),
        b'pepper = "%s"\n[secrets]\n70000 = "%s"\n' % (b"0" * 64, b"0" * 64),
        b'bearer = "00"\npepper = "%s"\n[secrets]\n1 = "%s"\n' % (b"0" * 64, b"0" * 64),
    ],
)
def test_a_damaged_file_is_refused_and_neither_shown_nor_replaced(
    path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    for read in (KeyRing.load, KeyRing.load_or_create, KeyRing.rotate):
        with pytest.raises(ConfigError, match="damaged") as refusal:
            read(path)
        assert "0000" not in str(refusal.value)
        assert refusal.value.__suppress_context__
    assert content == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        KeyRing.load_or_create(tmp_path / "nowhere" / "newsletter.key")
    with pytest.raises(ConfigError, match="cannot be opened"):
        KeyRing.load(tmp_path)


def test_rotation_adds_a_key_and_keeps_the_rest(path: Path) -> None:
    before = KeyRing.load_or_create(path)
    after = KeyRing.rotate(path)
    assert after == KeyRing.load(path)
    assert before.pepper == after.pepper
    assert before.secrets[1] == after.secrets[1] != after.secrets[2]
    assert 2 == after.signing_key_id
    assert before.address_tag(ANNA) == after.address_tag(ANNA)
    assert before.pepper_id == after.pepper_id
    assert [path] == list(path.parent.iterdir())


def test_of_two_rotations_at_once_the_second_stops(path: Path) -> None:
    before = KeyRing.load_or_create(path)
    draft = path.with_name("newsletter.key.new")
    draft.touch()
    with pytest.raises(ConfigError, match="Another rotation") as refusal:
        KeyRing.rotate(path)
    assert draft == refusal.value.where.file
    assert draft.exists()
    assert before == KeyRing.load(path)


def test_a_full_ring_is_refused(path: Path) -> None:
    secret = "0" * 64
    path.write_text(f'pepper = "{secret}"\n[secrets]\n65535 = "{secret}"\n')
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="as many keys"):
        KeyRing.rotate(path)


def test_the_repr_shows_no_secret() -> None:
    ring = KeyRing(b"p" * 32, {1: b"k" * 32, 7: b"k" * 32})
    assert "KeyRing(key ids 1, 7)" == repr(ring)


def test_an_address_tag_follows_the_suppression_key() -> None:
    assert 12 == len(KEYS.address_tag(ANNA))
    assert KEYS.address_tag(ANNA) == KEYS.address_tag(Address.parse("anna@EXAMPLE.org"))
    assert KEYS.address_tag(ANNA) != KEYS.address_tag(Address.parse("ann@example.org"))
    other = KeyRing(b"p" * 32, KEYS.keys)
    assert KEYS.address_tag(ANNA) != other.address_tag(ANNA)
    assert KEYS.pepper_id != other.pepper_id


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("JOSÉ@bücher.example", "jose\N{COMBINING ACUTE ACCENT}@xn--bcher-kva.example", True),
        ("ａｎｎａ@a.example", "Anna@a.example", True),
        ("anna@ｂücher。example", "anna@XN--BCHER-KVA.example", True),
        ("ΐ@a.example", "Ϊ\N{COMBINING ACUTE ACCENT}@a.example", True),
        ("straße@a.example", "STRASSE@a.example", True),
        ("anna@faß.example", "anna@fass.example", False),
        ("a.b@a.example", "ab@a.example", False),
        ("a+b@a.example", "a@a.example", False),
        ("анна@a.example", "anna@a.example", False),
        ("josé@a.example", "jose@a.example", False),
    ],
)
def test_a_leave_holds_for_each_spelling_and_for_nobody_else(
    one: str, other: str, same: bool
) -> None:
    first, second = Address.parse(one), Address.parse(other)
    assert same is (KEYS.address_tag(first) == KEYS.address_tag(second))
    assert first.suppression_key == suppression_key_of(first.key)


def test_a_message_tag_tells_spellings_and_campaigns_apart() -> None:
    anna = Address.parse("anna@example.org")
    tags = [
        KEYS.message_tag(campaign, who) for campaign in ("2017-03.1", "x") for who in (ANNA, anna)
    ]
    assert 4 == len(set(tags))
    assert all(24 == len(tag) and tag.isalnum() for tag in tags)


def test_tags_never_change() -> None:
    # Suppressions and links outlive every version of this program.
    expected = hmac.new(KEYS.pepper, b"anna@example.org", hashlib.sha256).digest()[:12]
    assert expected == KEYS.address_tag(ANNA)
    assert "dc16dac4e0724e68069d1070" == KEYS.address_tag(ANNA).hex()
    assert "0a0abbc296dd559c" == KEYS.campaign_tag("2017-03.1").hex()
    assert "1fb07db2e65677cee3b1682d" == KEYS.message_tag("2017-03.1", ANNA)
    assert "7a0c28a7fb508ffc" == KEYS.pepper_id


def test_a_ring_that_joins_another_lists_keys_knows_who_left_under_them(path: Path) -> None:
    one, other = (KeyRing.load_or_create(path.with_name(name)) for name in ("one", "two"))
    joined = one.joined(other)
    assert joined.address_tag(ANNA) == one.address_tag(ANNA)
    assert (other.address_tag(ANNA),) == joined.former_tags(ANNA)
    joined.save(path)
    assert joined == KeyRing.load(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert joined == joined.joined(one).joined(other)
    assert () == one.former_tags(ANNA)


def test_a_ring_of_before_a_rotation_gets_the_newer_keys(path: Path) -> None:
    before = KeyRing.load_or_create(path)
    after = KeyRing.rotate(path)
    assert after == before.joined(after) == after.joined(before)


def old_file(path: Path, keys: dict[int, bytes]) -> str:
    """A file of before there were secrets, as the program wrote it then."""
    lines = "".join(f'{number} = "{key.hex()}"\n' for number, key in keys.items())
    text = f'# Signs.\npepper = "{bytes(range(32)).hex()}"\n\n[keys]\n{lines}'
    path.write_text(text)
    path.chmod(0o600)
    return text


def test_an_old_file_gets_a_secret_that_lasts_and_keeps_its_keys(path: Path) -> None:
    old_file(path, {1: b"1" * 32, 2: b"2" * 32})
    ring = KeyRing.load_or_create(path)
    assert {1: b"1" * 32, 2: b"2" * 32} == ring.keys
    assert [1] == list(ring.secrets)
    assert f'[secrets]\n1 = "{ring.secrets[1].hex()}"\n' in path.read_text()
    assert 0o600 == path.stat().st_mode & 0o777
    written = path.read_bytes()
    assert ring == KeyRing.load_or_create(path)
    assert written == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


def test_every_copy_of_an_old_file_gets_the_same_secret(path: Path) -> None:
    # Two laptops, a backup and the copy in the state folder: else a link of one is none of another.
    copies = [path.with_name(f"{number}.key") for number in range(3)]
    for copy in copies:
        old_file(copy, {1: b"1" * 32})
    first = KeyRing.load_or_create(copies[0])
    assert first == KeyRing.load(copies[1])
    assert KeyRing.rotate(copies[2]) == KeyRing.load(copies[2])
    assert first.secrets[1] == KeyRing.load(copies[2]).secrets[1]
    assert first.joined(KeyRing.load(copies[2])) == KeyRing.load(copies[2])
    assert "9e0c19e6efb79a33" == first.secrets[1].hex()[:16]


def test_who_had_the_file_before_a_rotation_cannot_derive_the_secret(path: Path) -> None:
    old_file(path, {1: b"1" * 32})
    stolen = KeyRing.load(path)
    old_file(path, {1: b"1" * 32, 2: b"2" * 32})
    assert stolen.secrets[1] != KeyRing.load(path).secrets[1]


def test_an_old_file_that_cannot_be_written_works_all_the_same(path: Path) -> None:
    text = old_file(path, {1: b"1" * 32})
    path.with_name("newsletter.key.new").touch()  # a rotation that was interrupted
    ring = KeyRing.load_or_create(path)
    assert text == path.read_text()
    path.with_name("newsletter.key.new").unlink()
    assert ring == KeyRing.load_or_create(path)


def test_many_that_upgrade_at_once_end_with_the_same_secret(path: Path) -> None:
    old_file(path, {1: b"1" * 32})
    rings: list[KeyRing] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait(timeout=10)
        rings.append(KeyRing.load_or_create(path))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert [KeyRing.load(path)] * 8 == rings
    assert [path] == list(path.parent.iterdir())


def test_a_new_file_signs_nothing_of_version_1(path: Path) -> None:
    assert {} == KeyRing.load_or_create(path).keys
    assert "[keys]" not in path.read_text()


def test_what_the_server_asks_for_is_made_once_and_kept(path: Path) -> None:
    assert KeyRing.load_or_create(path).bearer is None
    ring = KeyRing.with_bearer(path)
    assert ring.bearer
    assert 32 == len(ring.bearer)
    assert ring == KeyRing.with_bearer(path) == KeyRing.load(path)
    assert ring.bearer == KeyRing.rotate(path).bearer
    assert [path] == list(path.parent.iterdir())


def test_a_joined_ring_carries_secrets_keys_and_bearer(path: Path) -> None:
    old_file(path, {1: b"1" * 32})
    before = KeyRing.load_or_create(path)
    KeyRing.rotate(path)
    after = KeyRing.with_bearer(path)
    assert after == before.joined(after) == after.joined(before)
    stranger = KeyRing.load_or_create(path.with_name("two"))
    joined = stranger.joined(after)
    assert (stranger.secrets, stranger.keys, None) == (joined.secrets, joined.keys, joined.bearer)


def test_box_keys_differ_by_secret_and_list_and_come_newest_first(path: Path) -> None:
    KeyRing.load_or_create(path)
    ring = KeyRing.rotate(path)
    boxes = ring.box_keys("news.example.org")
    assert [2, 1] == list(boxes)
    assert all(32 == len(key) for key in boxes.values())
    others = [*ring.box_keys("other.example.org").values(), *ring.secrets.values(), ring.pepper]
    assert not {*boxes.values()} & {*others}
