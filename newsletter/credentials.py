"""Credentials: a password or key from where newsletter.toml says it comes from.

The only place that reads the environment, and the only one that runs a
command for a secret; reads files of private keys, and looks whose settings
they are. No message of this module shows the secret.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import threading
from pathlib import Path

from newsletter.config import PrivateKey, Secret
from newsletter.errors import ConfigError, Where
from newsletter.regular_file import open_regular
from newsletter.system import shared, user_number

_TIMEOUT_S = 30.0
_MOST_BYTES = 100_000
# A secret with a line break or the like fits no SMTP command or HTTP header;
# libraries that refuse it there show it in their message.
_USABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


_TRUST = "NEWSLETTER_TRUST"


def refuse_strangers(settings: Path) -> None:
    """Make sure that nobody else decides what ``settings`` make this program run.

    newsletter.toml names commands that are run and relays that get passwords, and
    one may lie in a folder further up, put there by anybody. As git does: its owner,
    and that of its folder, must be who runs this, who called sudo, or root.

    Raises:
        ConfigError: another user owns it, or every user can change it.
    """
    folder = settings.parent.resolve()
    trusted = os.environ.get(_TRUST, "").split(os.pathsep)
    if "*" in trusted or any(each and Path(each).resolve() == folder for each in trusted):
        return
    user = user_number()
    if user is None:
        return
    mine = {0, user}
    if user == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        mine.add(int(os.environ["SUDO_UID"]))
    found = [settings.lstat(), settings.stat(), folder.stat()]
    strangers = sorted({each.st_uid for each in found} - mine)
    if strangers:
        raise ConfigError(
            f"This project belongs to another user (number {strangers[0]}), who could make it "
            "run any command in your name.",
            where=Where(settings),
            next=f"If you trust them: export {_TRUST}={shlex.quote(str(folder))}. Else make the "
            "folder and the file your own (chown).",
        )
    # In a folder such as /tmp, with the sticky bit, nobody can replace another's file.
    if found[1].st_mode & stat.S_IWOTH or (
        found[2].st_mode & stat.S_IWOTH and not found[2].st_mode & stat.S_ISVTX
    ):
        raise ConfigError(
            "Every user of this machine can change this file, and so could make it run any "
            "command in your name.",
            where=Where(settings),
            next=f"Run: chmod o-w {shlex.quote(str(folder))} {shlex.quote(str(settings))}",
        )


def read_secret(secret: Secret, *, what: str) -> str:
    """Get a secret, without its final line break.

    Args:
        secret: where it comes from.
        what: what it is, as it stands in a sentence: “SMTP password”.

    Raises:
        ConfigError: there is none, or it cannot be one.
    """
    if secret.env is not None:
        value = _from_environment(secret.env, what)
    else:
        value = _from_command(secret.command or [], what).decode("utf-8", "surrogateescape")
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise ConfigError(f"The {what} is empty.", next=_advice(secret, what))
    if not _USABLE.fullmatch(value):
        raise ConfigError(
            f"The {what} holds several lines or characters that cannot be typed.",
            next=_advice(secret, what),
        )
    return value


def read_token(token: Secret, *, what: str) -> str:
    """Get an OAuth 2.0 access token.

    Args:
        token: where it comes from.
        what: what it is, as it stands in a sentence: “access token of the relay …”.

    Raises:
        ConfigError: there is none, or it holds what no token does (RFC 6750 2.1).
    """
    value = read_secret(token, what=what)
    if not _TOKEN.fullmatch(value):
        raise ConfigError(
            f"The {what} holds spaces, quotation marks or the like, as no token does.",
            next=f"{_advice(token, what)} A token that comes in JSON must be taken out of it.",
        )
    return value


def read_private_key(key: PrivateKey, *, folder: Path, what: str) -> bytes:
    """Get a private key, many lines of PEM; what they hold is not looked at.

    Args:
        key: where it comes from.
        folder: what the file's path is relative to.
        what: what it is, as it stands in a sentence: “DKIM key”.

    Raises:
        ConfigError: it is not to be had, or others can read its file.
    """
    if key.file is not None:
        return _from_file(folder / key.file, what)
    if key.env is not None:
        return os.fsencode(_from_environment(key.env, what))
    return _from_command(key.command or [], what)


def _from_file(path: Path, what: str) -> bytes:
    try:
        with open_regular(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"The file of the {what} cannot be opened: {error.strerror}.", where=Where(path)
        ) from None
    if shared(mode):
        raise ConfigError(
            f"The file of the {what} can be read by other users of this machine.",
            where=Where(path),
            next=f"Run: chmod 600 {path.name}",
        )
    if len(content) > _MOST_BYTES:
        raise ConfigError(
            f"The file of the {what} holds more than {_MOST_BYTES:,} bytes.",
            where=Where(path),
            next="Mind the path in newsletter.toml: a password or key is a short text.",
        )
    return content


def _from_environment(name: str, what: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(
            f"The {what} is missing: the environment variable {name} is not set, or empty.",
            next=f"Set it before you start the program, for example: export {name}=…",
        )
    return value


def _from_command(command: list[str], what: str) -> bytes:
    if not command:
        raise ConfigError(
            f"The command for the {what} is empty.",
            next='Write it in newsletter.toml as command = ["program", "argument"].',
        )
    program = command[0]
    try:
        output = _run(command)
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"The command {program} did not print the {what} within {_TIMEOUT_S:g} seconds.",
            next=_by_hand(program, what),
        ) from None
    except subprocess.CalledProcessError as error:
        raise ConfigError(
            f"The command {program} for the {what} failed with exit status {error.returncode}.",
            next=_by_hand(program, what),
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds a NUL character"
        raise ConfigError(
            f"The command {program} for the {what} cannot be run: {reason}.",
            next="Mind the spelling of its path in newsletter.toml.",
        ) from None
    if len(output) > _MOST_BYTES:
        raise ConfigError(
            f"The command {program} printed more than {_MOST_BYTES:,} bytes for the {what}.",
            next=_by_hand(program, what),
        )
    return output


def _advice(secret: Secret, what: str) -> str:
    if secret.env is not None:
        return f"Set {secret.env} to the {what} and nothing else."
    return _by_hand((secret.command or [""])[0], what)


def _by_hand(program: str, what: str) -> str:
    return f"Run the command {program} by hand; it must print the {what} and nothing else."


def _run(command: list[str]) -> bytes:
    """The first _MOST_BYTES + 1 bytes that a command prints.

    What it complains of is dropped, since it may hold the secret.
    """
    # No shell: the arguments reach the program as they are written.
    process = subprocess.Popen(  # noqa: S603 - the command is the user's own, from newsletter.toml
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    printed: list[bytes] = []

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as pipe:
            output = pipe.read(_MOST_BYTES + 1)
        if len(output) > _MOST_BYTES:
            process.kill()
        process.wait()
        printed.append(output)

    # In a thread, since a grandchild that holds the pipe would keep us reading.
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    hangs = True
    try:
        reader.join(_TIMEOUT_S)
        hangs = reader.is_alive()
    finally:
        if hangs:
            process.kill()
            process.wait()
    if hangs:
        raise subprocess.TimeoutExpired(command[0], _TIMEOUT_S)
    if process.returncode and len(printed[0]) <= _MOST_BYTES:
        raise subprocess.CalledProcessError(process.returncode, command[0])
    return printed[0]
