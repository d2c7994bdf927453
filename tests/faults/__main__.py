"""``python -m tests.faults``: run the marked tests and write docs/fault-matrix.md."""

import sys

from tests.faults.collect import rows
from tests.faults.document import PAGE, page


def main() -> int:
    found, code = rows("-n", "auto")
    wrong = {(row["family"], row["name"]) for row in found if row["outcome"] != "passed"}
    PAGE.write_text(
        page(row for row in found if (row["family"], row["name"]) not in wrong), encoding="utf-8"
    )
    for family, name in sorted(wrong):
        print(f"not shown: {family}, {name}")
    print(f"{PAGE}: {len({(row['family'], row['name']) for row in found} - wrong)} faults")
    return code


if __name__ == "__main__":
    sys.exit(main())
