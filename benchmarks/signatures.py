"""Signatures a second, beside dkimpy's, on letters of the March 2017 issue.

One run alternates the two, round by round, so that both meet the same machine.
Ours is the whole letter as SMTP takes it, composed, signed and dot-stuffed, and
the same without signature for comparison; dkimpy's is its signature alone,
same key, same canonicalisation, same header fields, of a letter made before.

Run: ``python -m benchmarks.signatures [--rounds 5] [--seconds 1]``
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dkim
from newsletter.addresses import Address
from newsletter.message.compose import Composer
from newsletter.message.dkim import SEALED, SIGNED, DkimSigner
from newsletter.message.model import Recipient
from newsletter.message.shared_headers import Letterhead
from newsletter.project import Project as Wired
from newsletter.project.compile import compile_issue
from tests.support.dkim import DOMAIN, SECOND, SELECTOR, ed25519_key, passes_dkimpy, pem, rsa_key
from tests.support.project import Project

THREADS = 2


def composer(folder: Path, signer: DkimSigner | None) -> Composer:
    """For the March 2017 issue, in English."""
    project = Project(folder)
    project.use_march()
    wired = Wired(project.folder)
    settings = wired.settings
    return Composer(
        compile_issue(wired, "2017-03").editions["en"],
        Letterhead(settings.sender, settings.list, settings.archive_url),
        campaign_id="2017-03.1",
        keys=wired.keys,
        signer=signer,
    )


def letters(composer: Composer, seconds: float) -> float:
    """Letters a second, each to another reader."""
    date = Wired(Path()).clock.now()
    number, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        number += 1
        address = Address.parse(f"reader{number}@readers.example")
        composer.compose(Recipient(address, f"Reader {number}", "en"), date=date).as_wire()
    return number / (time.perf_counter() - started)


def in_threads(composer: Composer, seconds: float) -> float:
    """The same by several threads at once, as the connections of a send do it."""
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda _: letters(composer, seconds), range(THREADS)))


def dkimpy(mail: bytes, seconds: float) -> float:
    """Signatures a second by dkimpy."""
    key = pem(rsa_key())
    fields = [name.encode() for name in (*SIGNED, *SEALED)]
    number, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        number += 1
        dkim.sign(
            mail,
            SELECTOR.encode(),
            DOMAIN.encode(),
            key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=fields,
        )
    return number / (time.perf_counter() - started)


def main() -> None:
    """Alternate them and print medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    arguments = parser.parse_args()
    seconds = arguments.seconds
    rsa = DkimSigner(DOMAIN, selector=SELECTOR, private_key=pem(rsa_key()))
    both = DkimSigner(
        DOMAIN,
        selector=SELECTOR,
        private_key=pem(rsa_key()),
        ed25519=(SECOND, pem(ed25519_key())),
    )
    with tempfile.TemporaryDirectory() as folder:
        plain, signed, twice = (
            composer(Path(folder) / str(number), signer)
            for number, signer in enumerate((None, rsa, both))
        )
    recipient = Recipient(Address.parse("anna@readers.example"), "Anna", "en")
    date = Wired(Path()).clock.now()
    mail = plain.compose(recipient, date=date).as_bytes()
    assert passes_dkimpy(signed.compose(recipient, date=date).as_bytes())
    ways: dict[str, Callable[[], float]] = {
        "unsigned": lambda: letters(plain, seconds),
        "rsa-sha256": lambda: letters(signed, seconds),
        "rsa-sha256 and ed25519-sha256": lambda: letters(twice, seconds),
        f"rsa-sha256, {THREADS} threads": lambda: in_threads(signed, seconds),
        "dkimpy, rsa-sha256": lambda: dkimpy(mail, seconds),
    }
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            measured[name].append(way())
    medians = {name: statistics.median(values) for name, values in measured.items()}
    for name, median in medians.items():
        print(f"{name}: {median:,.0f} letters a second")
    ratio = medians["rsa-sha256"] / medians["dkimpy, rsa-sha256"]
    print(f"{ratio:.0f} times dkimpy ({len(mail):,} octets each, median of {arguments.rounds})")


if __name__ == "__main__":
    main()
