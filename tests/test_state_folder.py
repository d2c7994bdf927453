from pathlib import Path

import pytest
from newsletter.state_folder import machine_name, network_kind

MOUNTS = r"""
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
31 30 254:2 / /home/anna/local rw,relatime - xfs /dev/vdb rw
32 22 0:41 / /mnt/with\040space rw - fuse.sshfs anna@host:/ rw
33 22 0:42 / /tmp rw - tmpfs tmpfs rw
line that is none
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/anna/.local/state/newsletter", "nfs4"),
        ("/home/anna/local/state", None),
        ("/homes", None),
        ("/mnt/with space/state", "fuse.sshfs"),
        ("/tmp/state", None),
        ("/var/lib", None),
    ],
)
def test_a_network_disk_is_known_by_what_is_mounted(folder: str, kind: str | None) -> None:
    assert kind == network_kind(Path(folder), MOUNTS)
    assert network_kind(Path(folder), "") is None


def test_a_machine_has_a_name_that_tells_nothing(tmp_path: Path) -> None:
    file = tmp_path / "machine-id"
    assert "" == machine_name(file)
    file.write_text("\n")
    assert "" == machine_name(file)
    file.write_text("0123456789abcdef0123456789abcdef\n")
    name = machine_name(file)
    assert 16 == len(name)
    assert "0123456789abcdef" != name
    assert name != machine_name(tmp_path / "other")
