"""The examples in docs/deploy: the proxies run before a real server, and log nobody."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
import trustme
from newsletter.message.tokens import Purpose
from newsletter.testing import FrozenClock

from tests.support.namespaces import Machine
from tests.support.tools import ROOT, program
from tests.test_docs import parse
from tests.web.process import leave_token, wait_for, write_bundle
from tests.web.served import bundle, key_ring, running, token

DEPLOY = ROOT / "docs" / "deploy"
WITHIN_S = 30
AGENT = "An unusual browser"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def changed(text: str, changes: dict[str, str]) -> str:
    """The example with this machine's places; each of them stands in it."""
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


def nginx(folder: Path, port: int, upstream: str, path: str) -> list[str]:
    example = changed(
        (DEPLOY / "nginx.conf").read_text(),
        {
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl;\n": "",
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/letsencrypt/live/news.example.org/fullchain.pem": f"{folder}/cert.pem",
            "/etc/letsencrypt/live/news.example.org/privkey.pem": f"{folder}/key.pem",
            "/var/log/nginx/": f"{folder}/",
            "    location / {\n        proxy_pass http://127.0.0.1:8025;": (
                f"    location {path}/ {{\n        proxy_pass {upstream};"
            ),
            "        proxy_pass http://127.0.0.1:8025;": f"        proxy_pass {upstream};",
        },
    )
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/start.log;\n"
        f"events {{}}\nhttp {{\n{places}{example}}}\n"
    )
    return [program("nginx"), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/start.log"]


def caddy(folder: Path, port: int, upstream: str, path: str) -> list[str]:
    (folder / "Caddyfile").write_text(
        changed(
            (DEPLOY / "Caddyfile").read_text(),
            {
                "\t# What goes": "\tadmin off\n\tauto_https disable_redirects\n\t# What goes",
                "news.example.org {\n": (
                    f"https://127.0.0.1:{port} {{\n\ttls {folder}/cert.pem {folder}/key.pem\n"
                    f"\thandle {path}/* {{\n"
                ),
                "127.0.0.1:8025": upstream.removeprefix("http://"),
            },
        )
        + "}\n"
    )
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config"]
    return [*command, f"{folder}/Caddyfile"]


PROXIES = {"nginx": nginx, "caddy": caddy}


@dataclass
class Proxy:
    """A proxy that runs."""

    url: str
    ca: str
    folder: Path

    def ask(self, method: str, path: str, **more: object) -> requests.Response:
        return requests.request(
            method,
            f"{self.url}{path}",
            verify=self.ca,
            headers={"User-Agent": AGENT},
            timeout=WITHIN_S,
            allow_redirects=False,
            **more,  # type: ignore[arg-type]
        )

    def written(self) -> str:
        """All that the proxy wrote: to its logs and to the terminal."""
        return "".join(
            path.read_text(errors="replace")
            for path in self.folder.rglob("*")
            if path.is_file() and path.suffix not in {".pem", ".conf"} and path.name != "Caddyfile"
        )


@contextmanager
def proxied(name: str, path: str, folder: Path, *, port: int, upstream: str) -> Iterator[Proxy]:
    """A proxy with all that it needs and writes in a folder, before a server that runs."""
    folder.mkdir()
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    command = PROXIES[name](folder, port, upstream, path)
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=said, env={"HOME": str(folder)}
        )
    made = Proxy(f"https://127.0.0.1:{port}{path}", str(folder / "ca.pem"), folder)
    try:
        deadline = time.monotonic() + WITHIN_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                made.ask("GET", "/health")
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        assert process.poll() is None, made.written()
        yield made
    finally:
        process.terminate()
        process.wait(WITHIN_S)


@pytest.mark.parametrize("path", ["", "/news"], ids=["top", "path"])
@pytest.mark.parametrize("name", PROXIES)
def test_readers_leave_through_the_proxy_and_its_logs_name_nobody(
    name: str, path: str, tmp_path: Path
) -> None:
    header, page = token(Purpose.HEADER), token(Purpose.PAGE)
    port = free_port()
    with ExitStack() as upstream, ExitStack() as before:
        known = bundle(f"https://127.0.0.1:{port}{path}")
        server = upstream.enter_context(running(tmp_path, known=known))
        proxy = before.enter_context(
            proxied(name, path, tmp_path / "proxy", port=port, upstream=server.url)
        )
        assert "ok\n" == proxy.ask("GET", "/health").text
        body = {"List-Unsubscribe": "One-Click"}
        answer = proxy.ask("POST", f"/1/{header}", data=body)
        assert (200, True) == (answer.status_code, "You have left." in answer.text)
        assert "Set-Cookie" not in answer.headers
        at_first = proxy.written()
        shown = proxy.ask("GET", f"/leave/{page}?lang=fr")
        assert (200, "fr") == (shown.status_code, shown.headers["Content-Language"])
        assert 404 == proxy.ask("GET", f"/nowhere/{page}").status_code
        # Caddy notices in the middle of handing it over, and says 502 or hangs up.
        with suppress(requests.exceptions.ChunkedEncodingError, requests.ConnectionError):
            large = proxy.ask("POST", f"/leave/{page}", data=b"x" * 200_000)
            # Caddy tells 502 if it still sends when the server has answered and hung up.
            assert large.status_code in {"nginx": {413}, "caddy": {413, 502}}[name]
        assert ["leave"] == server.kinds()
        upstream.close()
        # The server is gone: the proxy's own error, with which its log of errors is tried.
        assert 502 == proxy.ask("POST", f"/1/{header}", data=body).status_code
        written = proxy.written()
    for word in (header, page, "/1/", "/leave", "/nowhere", AGENT, "One-Click"):
        assert word not in written, word
    assert not re.search(r'127\.0\.0\.1:?\d* *"?\w*(GET|POST)|remote_|client:', written), written
    if name == "nginx":
        lines = (proxy.folder / "newsletter.log").read_text().splitlines()
        assert 6 <= len(lines)
        form = r"\d{4}-\d\d-\d\d (GET|POST) \d{3} \d+\.\d{3}"
        assert [] == [line for line in lines if not re.fullmatch(form, line)]
    else:
        assert at_first == written


def test_nginx_finds_no_fault_in_its_example(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    command = [*nginx(tmp_path, free_port(), "http://127.0.0.1:9", ""), "-t"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, True) == (done.returncode, "successful" in done.stderr), done.stderr
    assert "[warn]" not in done.stderr


def test_caddy_finds_no_fault_in_its_example() -> None:
    command = [program("caddy"), "validate", "--adapter", "caddyfile", "--config"]
    done = subprocess.run(
        [*command, str(DEPLOY / "Caddyfile")], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    assert '"level":"warn"' not in done.stderr, done.stderr


@pytest.mark.parametrize("mails", [False, True], ids=["alone", "with a relay"])
def test_systemd_finds_no_fault_in_the_service_and_calls_it_safe(
    tmp_path: Path, mails: bool
) -> None:
    text = (DEPLOY / "newsletter.service").read_text()
    if mails:
        (allowed, password) = re.findall(r"^# (\w+=\S.*)$", text, re.MULTILINE)
        assert allowed.startswith("IPAddressAllow=")
        page = (ROOT / "docs" / "public.md").read_text(encoding="utf-8")
        assert password.removeprefix("EnvironmentFile=") in page
        text = text.replace(f"# {allowed}", allowed).replace(f"# {password}", password)
    assert f"\nIPAddressDeny=any\nIPAddressAllow=localhost\n{'' if mails else '#'}" in text
    command = re.search(r"^ExecStart=/opt/newsletter/\.venv/bin/(.*)$", text, re.MULTILINE)
    assert command
    parse(command[1])
    unit = tmp_path / "newsletter.service"
    unit.write_text(text.replace("/opt/newsletter/.venv/bin/newsletter", program("true")))
    analyze = program("systemd-analyze")
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    rated = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == rated.returncode, rated.stdout


AS_THE_SERVICE = """
mount -t tmpfs none /var/lib
mkdir /var/lib/newsletter
while read -r _ place _; do mount -o remount,bind,ro "$place" 2>/dev/null; done < /proc/self/mounts
mount --bind "$1" /var/lib/newsletter && mount -o remount,bind,rw /var/lib/newsletter
"""
"""What its StateDirectory= and ProtectSystem=strict make of the disk."""


def forbidden_calls(service: str) -> list[str]:
    """The system calls for which systemd kills the server."""
    shown = subprocess.run(
        [program("systemd-analyze"), "syscall-filter"], check=True, capture_output=True, text=True
    ).stdout
    sets: dict[str, list[str]] = {}
    name = ""
    for line in shown.splitlines():
        if line.startswith("@"):
            name = line
        elif line.startswith(" ") and not line.strip().startswith("#"):
            sets.setdefault(name, []).append(line.strip())

    def calls(name: str) -> set[str]:
        return set().union(*map(calls, sets[name])) if name.startswith("@") else {name}

    allowed, forbidden = re.findall(r"^SystemCallFilter=(.*)$", service, re.MULTILINE)
    assert forbidden.startswith("~")
    let = set().union(*map(calls, ["@default", *allowed.split()]))
    return sorted(calls("@known") - (let - set().union(*map(calls, forbidden[1:].split()))))


def test_the_server_answers_with_no_more_rights_than_the_service_has(tmp_path: Path) -> None:
    """Another user, no capability, one folder to write to, and no call that systemd forbids."""
    service = (DEPLOY / "newsletter.service").read_text()
    command = re.search(r"^ExecStart=\S+/newsletter (.*)$", service, re.MULTILINE)
    umask = re.search(r"^UMask=(.*)$", service, re.MULTILINE)
    families = re.search(r"^RestrictAddressFamilies=(.*)$", service, re.MULTILINE)
    assert command
    assert umask
    assert families
    watched = ",".join(f"?{call}" for call in ["execve", "socket", *forbidden_calls(service)])
    user = [program("setpriv"), "--reuid", "10001", "--regid", "10001", "--clear-groups"]
    user += ["--no-new-privs", "--bounding-set=-all"]
    folder = write_bundle(tmp_path / "bundle")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 10001, 10001)
    with Machine(Path("/etc/hosts")) as machine, (tmp_path / "said").open("wb") as said:
        machine.run("sh", "-c", AS_THE_SERVICE, "sh", str(folder))
        watching = [program("strace"), "-D", "-f", "--seccomp-bpf", "-e", f"trace={watched}"]
        with_mask = ["sh", "-c", f'umask {umask[1]}; exec "$@"', "sh"]
        server = [sys.executable, "-m", "newsletter", *command[1].split()]
        process = subprocess.Popen(
            [*machine.prefix, *watching, *with_mask, *user, *server],
            cwd="/",
            stderr=said,
            env={**os.environ, "HOME": "/var/lib/newsletter", "PYTHONPATH": str(ROOT)},
        )
        try:
            deadline = time.monotonic() + WITHIN_S
            url = "http://127.0.0.1:8025"
            while "ok" not in machine.run("sh", "-c", f"curl -s {url}/health || true"):
                assert process.poll() is None, (tmp_path / "said").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            header, _ = leave_token()
            assert "You have left." in machine.run("curl", "-sd", "x=y", f"{url}/1/{header}")
        finally:
            process.terminate()
            process.wait(WITHIN_S)
        wait_for(lambda: "+++ exited with 0 +++" in (tmp_path / "said").read_text())
    before, _, traced = (tmp_path / "said").read_text().rpartition("execve(")
    assert "setresuid(" in before  # what is forbidden is seen
    seen = re.findall(r"^(?:\[pid +\d+\] )?(\w+)\(", traced, re.MULTILINE)
    assert {"socket"} == set(seen)
    assert set(re.findall(r"socket\((\w+)", traced)) <= set(families[1].split())
    assert {0o600} == {path.stat().st_mode & 0o777 for path in folder.glob("public.db*")}


def test_the_container_runs_without_root_and_its_build_takes_no_list_and_no_key() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    lines = re.sub(r"\\\n", " ", text).splitlines()
    assert "USER 10001:10001" in lines
    copied = {
        name
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for name in shlex.split(line)[1:-1]
    }
    assert all((ROOT / name).exists() for name in copied)
    assert {"pyproject.toml", "requirements.lock", "newsletter"} <= copied
    assert {".", "newsletter.key", "subscribers.csv"}.isdisjoint(copied)
    (entry,) = [line for line in lines if line.startswith("ENTRYPOINT ")]
    first, *rest = json.loads(entry.removeprefix("ENTRYPOINT "))
    assert "/opt/newsletter/bin/newsletter" == first
    parse(shlex.join(["newsletter", *rest]))
    assert "VOLUME /var/lib/newsletter" in lines
    assert "--read-only" in text
    assert "podman build --format docker " in text  # else the image has no HEALTHCHECK


def test_in_the_container_readers_do_not_share_one_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    (trusted,) = [each for each in lines if each.startswith("ENV FORWARDED_ALLOW_IPS=")]
    monkeypatch.setenv(*trusted.removeprefix("ENV ").split("=", 1))
    clock = FrozenClock(datetime.now(UTC))
    unknown = replace(key_ring(), secrets={9: b"t" * 32})
    with running(tmp_path, clock=clock) as server:
        codes = []
        for number in range(61):
            # As the container sees the proxy on its host: not at 127.0.0.1.
            _, port = server.url.rsplit(":", 1)
            asking = HTTPConnection("127.0.0.1", int(port), WITHIN_S, ("127.0.0.2", 0))
            with closing(asking):
                path = f"/1/{token(Purpose.HEADER, minutes_ago=number, keys=unknown)}"
                headers = {"X-Forwarded-For": f"198.51.100.{number}"}
                asking.request("POST", path, b"List-Unsubscribe=One-Click", headers)
                codes.append(asking.getresponse().status)
    assert [200] * 61 == codes


def test_each_example_is_named_where_the_server_is_set_up() -> None:
    page = (ROOT / "docs" / "public.md").read_text(encoding="utf-8")
    for path in DEPLOY.iterdir():
        assert f"](deploy/{path.name})" in page
