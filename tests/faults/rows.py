"""What the fault matrix must cover: each demand, and the rows that answer it.

The demands are those of the delivery reference (2.3) and of the plan for bad
input and faults, in their words. A row is named as its tests are marked.
"""

from dataclasses import dataclass

FAMILIES = ("SMTP", "HTTP", "Provider", "Process", "Ledger", "Input", "Public")


@dataclass(frozen=True)
class Demand:
    """One fault that must be covered, and the names of its rows."""

    family: str
    words: str
    rows: tuple[str, ...]


def _smtp(words: str, *rows: str) -> Demand:
    return Demand("SMTP", words, rows or (words,))


def _http(words: str, *rows: str) -> Demand:
    return Demand("HTTP", words, rows or (words,))


DEMANDS = (
    _smtp("refused at connect"),
    _smtp("banner 421"),
    _smtp("EHLO fails", "EHLO refused", "EHLO 421", "dropped after EHLO"),
    _smtp("STARTTLS missing or stripped"),
    _smtp("bad certificate", "certificate of an unknown issuer", "certificate that has expired"),
    _smtp("a certificate for another name", "certificate of another name"),
    _smtp("AUTH 535/454", "AUTH 535", "AUTH 454"),
    _smtp("MAIL 4xx/5xx", "MAIL 4xx", "MAIL 5xx"),
    _smtp("RCPT 4xx/5xx/mixed", "RCPT 4xx", "RCPT 5xx", "RCPT mixed"),
    _smtp("DATA 4xx/5xx", "DATA 4xx", "DATA 5xx"),
    _smtp("dropped before 354"),
    _smtp("dropped in mid-body", "dropped in the body"),
    _smtp("dropped after the dot"),
    _smtp("421 after the dot"),
    _smtp("4xx/5xx after the dot", "4xx after the dot", "5xx after the dot"),
    _smtp("slow reply past the timeout", "no answer to MAIL in time",
          "no answer to the dot in time"),
    _smtp("half-open connection", "connection accepted, and never a word (half-open)"),
    _smtp("garbage", "garbage before the dot", "garbage after the dot"),
    _smtp("reply split across packets", "replies split across packets"),
    _smtp("multi-line reply", "replies of several lines"),
    _smtp("NUL/CR/LF injection", "NUL, CR or LF in an address"),
    _smtp("8BITMIME/SMTPUTF8/SIZE absent", "8BITMIME absent", "SMTPUTF8 absent", "SIZE absent"),
    _smtp("connection cap"),
    _smtp("a reply without end", "a reply that drips", "an answer without end"),
    _smtp("a relay that repeats the password", "a reply that repeats the password"),
    _smtp("an answer before its question", "an answer before the dot",
          "an answer to the dot too many", "one answer too many before 354",
          "one answer too many before the first message",
          "words in plain behind the answer to STARTTLS"),
    _http("DNS failure, connection refused", "the provider's name cannot be resolved",
          "the connection is refused"),
    _http("connect timeout", "no connection in time"),
    _http("TLS handshake failure", "no TLS where there should be",
          "the certificate is somebody else's or nobody's"),
    _http("proxy", "a proxy in the environment"),
    _http("peer reset before or after reading the request", "hung up before the request was read",
          "hung up when the request was read", "hung up when the mail was taken"),
    _http("read timeout", "no answer in time"),
    _http("status line garbage", "an answer that is no HTTP"),
    _http("2xx header, then a truncated body", "2xx, and the answer breaks off",
          "2xx, and its chunks break off"),
    _http("408, 500, 502, 503, 504", "408, request timeout", "500, internal error",
          "502, bad gateway", "503, unavailable", "504, gateway timeout"),
    _http("429 with seconds, HTTP-date, reset-epoch, none", "429, Retry-After in seconds",
          "429, Retry-After as a date", "429, X-RateLimit-Reset as a moment",
          "429, without a pause asked for"),
    _http("200 with error body", "200 with an error in its body"),
    _http("partial success", "an address is refused", "a batch refused whole for one address"),
    _http("wrong length of result array", "2xx with fewer results than messages",
          "2xx with more results than messages"),
    _http("results for somebody else", "results in another order",
          "results too few, too many or doubled", "2xx without the ids that are promised"),
    _http("an answer without end", "headers that drip"),
    _http("a provider that repeats the key", "an answer that repeats the key"),
    _http("HTML error page from a gateway", "200 with a page of a gateway",
          "502 with a page of a gateway"),
    Demand("Provider", "SIGKILL while a call is on its way", (
        "SIGKILL during a call, and the provider knows keys",
        "SIGKILL during a call, and the provider knows no keys",
        "SIGKILL during a call of one message")),
    Demand("Process", "SIGKILL at every fsync", ("SIGKILL at every fsync",)),
    Demand("Process", "SIGKILL at every socket write", ("SIGKILL at every socket write",)),
    Demand("Process", "SIGKILL between reply and commit", ("SIGKILL between reply and commit",)),
    Demand("Process", "random SIGKILL", ("SIGKILL at random moments",)),
    Demand("Process", "disk full", ("disk full",)),
    Demand("Process", "clock backwards", ("clock backwards",)),
    Demand("Process", "second process started on the same campaign",
           ("second process started on the same campaign",)),
    Demand("Process", "sink that misbehaves while kills go on", (
        "SIGKILL, and the relay hangs up after the dot",
        "SIGKILL, and the relay answers late or not in time",
        "SIGKILL, and the relay answers garbage",
        "SIGKILL, and connections are half-open",
        "SIGKILL, and the relay answers 4xx, 421 and 5xx",
        "SIGKILL, and the relay does all of that")),
    Demand("Ledger", "a ledger on a read-only disk", ("read-only file or folder",)),
    Demand("Ledger", "a ledger on a full disk", ("full disk",)),
    Demand("Ledger", "a corrupted ledger", (
        "overwritten header", "overwritten page", "file cut off", "file that is no ledger")),
    Demand("Input", "a poison recipient that breaks rendering",
           ("a recipient whose message cannot be made",)),
    Demand("Input", "hostile bounces and events", (
        "a bounce mail made to break what reads it: addresses, dates, nesting, size",
        "an event among others that cannot be read",
        "a pipe, device, folder, broken link or link to itself among bounce mails or events")),
    Demand("Input", "a damaged list", (
        "a row of a list that is not UTF-8 like the others, holds NUL or ends amid a quoted cell",
        "a list that is a pipe, a device or a link to itself")),
    Demand("Input", "what makes a parser slow, and what nobody thought of", (
        "a megabyte of whatever makes a parser slow",
        "bytes by chance for every parser of what others wrote (fuzzing)")),
)  # fmt: skip

NOT_YET = (
    ("PostgreSQL connection killed with `pg_terminate_backend` in mid-claim",
     "there is no ledger on PostgreSQL yet"),
    ("worker partitioned for longer than its lease, and then returning",
     "there are no workers on several machines yet"),
)  # fmt: skip
"""Demanded, and about what does not exist yet; with the reason."""
