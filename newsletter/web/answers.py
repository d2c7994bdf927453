"""What the public side answers with: pages in the visitor's language, under strict headers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from newsletter.render.public_pages import PublicPages

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
_MOST_ACCEPTED = 200
"""Characters of Accept-Language that are read."""


class Answers:
    """Makes the answers.

    Args:
        pages: the compiled pages; an attribute, too.
    """

    def __init__(self, pages: PublicPages) -> None:
        self.pages = pages
        self._headers = {
            **HEADERS,
            "Content-Security-Policy": (
                f"default-src 'none'; style-src '{pages.style_hash}'; form-action 'self'; "
                "base-uri 'none'; frame-ancestors 'none'"
            ),
        }

    def page(
        self,
        request: Request,
        name: str,
        /,
        *,
        status: int = 200,
        action: str | None = None,
        again: bool = False,
        **values: str,
    ) -> Response:
        """A page.

        Args:
            request: whose answer it is.
            name: one of :data:`~newsletter.render.public_pages.PAGES`.
            status: of HTTP.
            action: where its forms lead; by default to its own address.
            again: whether it says that a button was pressed too soon or too late.
            values: for its other slots.
        """
        language = self.language_of(request)
        here = f"?lang={language}"
        filled = {
            "privacy": f"{request.scope['top']}privacy{here}",
            "again": "" if again else "hidden",
            "action": here if action is None else action + here,
            **values,
        }
        html = self.pages.page(name, language, filled)
        headers = {**self._headers, "Content-Language": language}
        return HTMLResponse(html, status, headers=headers)

    def text(self, text: str, *, status: int = 200) -> Response:
        """A short text for programs."""
        return PlainTextResponse(text, status, headers=self._headers)

    def language_of(self, request: Request) -> str:
        """The language for a visitor: ?lang=, else Accept-Language (RFC 9110 12.5.4), else ours."""
        wanted = [request.query_params.get("lang", ""), *_accepted(request)]
        for tag in wanted:
            for name in (tag, tag.partition("-")[0]):
                if name in self.pages.languages:
                    return name
        return self.pages.languages[0]


def _accepted(request: Request) -> list[str]:
    """The languages of Accept-Language, the most wanted first."""
    weighed = []
    for number, each in enumerate(
        request.headers.get("accept-language", "")[:_MOST_ACCEPTED].split(",")
    ):
        tag, _, quality = each.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        weighed.append((-weight, number, tag))
    return [tag for _, _, tag in sorted(weighed)]
