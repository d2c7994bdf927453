"""What the other side repeats of our password stands nowhere: not on the screen, in no file."""

import base64

import pytest

from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, always

PASSWORD = "sesame/Open+2017"
PLAIN = base64.b64encode(f"\0anna\0{PASSWORD}".encode()).decode()
FORMS = [PASSWORD, PLAIN, base64.b64encode(PASSWORD.encode()).decode(), PASSWORD.encode().hex()]
ECHO = f"5.7.8 {PASSWORD} {PLAIN[:20]}\r\n{{}}5.7.8 {PLAIN[20:]} {FORMS[2]} {FORMS[3]}"


@pytest.mark.fault("SMTP", "a reply that repeats the password", state="it is shown nowhere")
@pytest.mark.parametrize(
    ("phase", "code"),
    [("AUTH", 534), ("AUTH", 538), ("RCPT", 550), ("dot", 550), ("dot", 250)],
)
def test_a_password_that_the_relay_repeats_stands_nowhere(
    project: Project, phase: str, code: int
) -> None:
    reply = f"{code}-{ECHO.format(f'{code} ')}".encode()
    with SmtpServer({phase: always(reply)}, login=("anna", PASSWORD)) as server:
        project.settings(
            smtp_delivery(server.port, connections=1)
            + 'username = "anna"\npassword = { env = "RELAY_PASSWORD" }\n'
        )
        environment = project.environment(RELAY_PASSWORD=PASSWORD)
        shown = [
            project.run(*command, env=environment)
            for command in (
                ("send", "2017-04", "--yes"),
                ("status", "2017-04"),
                ("report", "2017-04", "--html", "report.html", "--json", "report.json"),
            )
        ]
    texts = [done.stdout + done.stderr for done in shown]
    assert "[secret]" in texts[0] or code == 250
    files = [path for path in project.folder.iterdir() if path.is_file()]
    assert {"newsletter.db", "report.html", "report.json"} <= {path.name for path in files}
    texts += [path.read_bytes().decode("latin-1") for path in files]
    for text in texts:
        joined = "".join(text.split())
        for form in FORMS:
            assert form not in joined
            assert form[8:-4] not in joined
