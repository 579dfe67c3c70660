"""The small page of the live server that asks for the token, when somebody comes without."""

from __future__ import annotations

import base64
import hashlib

__all__ = ["SIGN_IN_POLICY", "sign_in_page"]

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:1rem}"
    "main{width:min(22rem,100%)}h1{font-size:1.3rem}"
    "label{display:block;font-weight:600}"
    "input,button{font:inherit;box-sizing:border-box;width:100%;padding:.6rem;margin-top:.4rem;border-radius:.4rem;"
    "border:1px solid GrayText}"
    ":focus-visible{outline:3px solid Highlight;outline-offset:2px}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: Content-Security-Policy of this page: its own style, and a form to this server
SIGN_IN_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def sign_in_page(*, wrong: bool) -> bytes:
    """Return the page; ``wrong``: a token was given, and it is not the right one."""
    said = '<p role="alert">That token is not the right one.</p>' if wrong else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>multicam</title>'
        f"<style>{_STYLE}</style><main><h1>multicam</h1>{said}"
        "<p>This server was started with a token. It is in the address that the server printed.</p>"
        '<form action="/" method="get"><label for="token">Token</label>'
        '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>'
        '<button type="submit">Open</button></form></main></html>'
    ).encode()
