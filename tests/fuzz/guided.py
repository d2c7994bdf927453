"""One target with atheris, which looks for food that reaches lines not reached before.

``python -m tests.fuzz.guided TARGET SECONDS SEED``; :mod:`tests.fuzz.__main__` starts it.
"""

import sys

import atheris

_INSTRUMENTED = ["newsletter", "email", "tomllib", "csv", "email_validator"]
"""The rest would take a minute to instrument."""


def main(name: str, seconds: str, seed: str) -> None:
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from tests.fuzz.engine import CORPUS, FOUND, limit_memory
        from tests.fuzz.targets import TARGETS
    limit_memory()
    learned = FOUND / name / "learned"
    learned.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={float(seconds):.0f}",
        f"-seed={seed}",
        f"-artifact_prefix={FOUND / name}/",
        "-max_len=65536",
        "-timeout=60",
        "-print_final_stats=1",
    ]
    food = [str(learned), str(CORPUS / name)]
    atheris.Setup(["fuzz", *options, *food], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
