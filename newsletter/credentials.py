"""Credentials: a password or key from where newsletter.toml says it comes from.

The only place that reads the environment, and the only one that runs a
command for a secret. No message of this module shows the secret.
"""

from __future__ import annotations

import os
import re
import subprocess

from newsletter.config import Secret
from newsletter.errors import ConfigError

_TIMEOUT_S = 30.0
# A secret with a line break or the like fits no SMTP command or HTTP header;
# libraries that refuse it there show it in their message.
_USABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def read_secret(secret: Secret, *, what: str) -> str:
    """Get a secret, without its final line break.

    Args:
        secret: where it comes from.
        what: what it is, as it stands in a sentence: “SMTP password”.

    Raises:
        ConfigError: there is none, or it cannot be one.
    """
    if secret.env is not None:
        return _from_environment(secret.env, what)
    if not secret.command:
        raise ConfigError(
            f"The command for the {what} is empty.",
            next='Write it in newsletter.toml as command = ["program", "argument"].',
        )
    return _from_command(secret.command, what)


def _from_environment(name: str, what: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(
            f"The {what} is missing: the environment variable {name} is not set, or empty.",
            next=f"Set it before you start the program, for example: export {name}=…",
        )
    return _usable(value, what, f"Set {name} to the {what} and nothing else.")


def _from_command(command: list[str], what: str) -> str:
    program = command[0]
    by_hand = f"Run the command by hand; it must print the {what} and nothing else."
    try:
        output = _run(command)
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"The command {program} did not print the {what} within {_TIMEOUT_S:g} seconds.",
            next=by_hand,
        ) from None
    except subprocess.CalledProcessError as error:
        raise ConfigError(
            f"The command {program} for the {what} failed with exit status {error.returncode}.",
            next=by_hand,
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds a NUL character"
        raise ConfigError(
            f"The command {program} for the {what} cannot be run: {reason}.",
            next="Mind the spelling of its path in newsletter.toml.",
        ) from None
    return _usable(output.decode("utf-8", "surrogateescape"), what, by_hand)


def _run(command: list[str]) -> bytes:
    """What a command prints; what it complains of is dropped, since it may hold the secret."""
    # No shell: the arguments reach the program as they are written.
    with subprocess.Popen(  # noqa: S603 - the command is the user's own, from newsletter.toml
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            output, _ = process.communicate(timeout=_TIMEOUT_S)
        except BaseException:
            # subprocess.run would wait here for grandchildren that hold the pipe.
            process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command[0])
    return output


def _usable(value: str, what: str, advice: str) -> str:
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise ConfigError(f"The {what} is empty.", next=advice)
    if not _USABLE.fullmatch(value):
        raise ConfigError(
            f"The {what} holds several lines or characters that cannot be typed.", next=advice
        )
    return value
