"""The login page: a form without scripts, and the way out."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel

from speechsearch.api.identity import SESSION_COOKIE, Access, address_of, too_many

STYLE = """
:root { color-scheme: light dark; --ground: #f8fafc; --card: #fff; --line: #cbd5e1; --text: #0f172a; --soft: #475569;
  --accent: #0f766e; --on-accent: #fff; --wrong: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ground: #020617; --card: #0f172a; --line: #475569; --text: #f1f5f9;
  --soft: #94a3b8; --accent: #2dd4bf; --on-accent: #042f2e; --wrong: #fda29b; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground);
  color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; }
form { width: 100%; max-width: 22rem; display: grid; gap: 1rem; padding: 1.8rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 14px; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; letter-spacing: -0.03em; }
h1 span { color: var(--accent); }
p { margin: 0; color: var(--soft); }
label { display: grid; gap: 0.3rem; font-weight: 600; font-size: 0.92rem; }
input { font: inherit; padding: 0.65rem 0.8rem; border: 1px solid var(--line); border-radius: 10px;
  background: var(--card); color: inherit; width: 100%; }
input:focus-visible, button:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; }
button { font: inherit; font-weight: 600; padding: 0.7rem; border: 0; border-radius: 10px; cursor: pointer;
  background: var(--accent); color: var(--on-accent); }
.wrong { color: var(--wrong); font-weight: 600; }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


class AccountBody(BaseModel):
    """Who asks: ``person`` is empty when nobody has logged in; ``has_login`` says whether anybody can."""

    person: str
    has_login: bool
    may_add: bool


def login_page(action: str, message: str = "") -> str:
    """Return the HTML of the login page.

    >>> "&lt;b&gt;" in login_page("login", "<b>")
    True
    """
    wrong = f'<p class="wrong" role="alert">{escape(message)}</p>' if message else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Log in - speechsearch</title>'
        f"<style>{STYLE}</style></head><body><main>"
        f'<form method="post" action="{escape(action)}"><div><h1>speech<span>search</span></h1>'
        f"<p>Log in to search these recordings.</p></div>{wrong}"
        '<label>Name<input name="username" autocomplete="username" maxlength="64" required autofocus></label>'
        '<label>Password<input name="password" type="password" autocomplete="current-password" maxlength="1024" '
        "required></label><button>Log in</button></form></main></body></html>"
    )


def login_routes(access: Access, frame_ancestors: str) -> APIRouter:
    """Return the routes of the login page and who is logged in."""
    router = APIRouter(tags=["login"])
    root = access.root_path
    policy = (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {frame_ancestors}"
    )

    def page(request: Request, status: int, message: str = "") -> Response:
        query = request.url.query
        html = login_page(f"{root}/login" + (f"?{query}" if query else ""), message)
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return HTMLResponse(html, status, headers)

    def home(request: Request) -> str:
        return f"{root}/" + (f"?{request.url.query}" if request.url.query else "")

    @router.get("/login", include_in_schema=False)
    def show(request: Request) -> Response:
        if not access.accounts or request.state.person:
            return RedirectResponse(home(request), 303)
        return page(request, 200)

    @router.post("/login", include_in_schema=False)
    async def log_in(request: Request) -> Response:
        is_browser = "text/html" in request.headers.get("accept", "")
        if not access.accounts:
            return RedirectResponse(home(request), 303)
        async with request.form(max_files=0, max_fields=10) as form:
            name, password = str(form.get("username", ""))[:64], str(form.get("password", ""))
        who = name, address_of(request.scope), request.state.person
        if wait_s := access.failures.begin(*who):
            refused = too_many("Too many wrong passwords.", wait_s)
            if not is_browser:
                return refused
            shown = page(request, 429, f"Too many wrong passwords. Try again in {refused.headers['retry-after']} s.")
            shown.headers["Retry-After"] = refused.headers["retry-after"]
            return shown
        if not await run_sync(access.accounts.is_right, name, password):
            message = "The name or the password is wrong."
            body = {"code": "login", "message": message, "hint": ""}
            return page(request, 401, message) if is_browser else JSONResponse(body, 401)
        access.failures.forgive(*who)
        response = RedirectResponse(home(request), 303) if is_browser else JSONResponse({"success": True})
        cookie = access.accounts.begin(name), access.accounts.session_s
        response.headers.append("Set-Cookie", access.cookie(SESSION_COOKIE, *cookie, request.url.scheme))
        return response

    @router.post("/logout", include_in_schema=False)
    def log_out(request: Request, everywhere: Annotated[bool, Form()] = False) -> Response:
        if everywhere and request.state.person:
            access.accounts.end_sessions(request.state.person)
        response = RedirectResponse(f"{root}/", 303)
        response.headers.append("Set-Cookie", access.cookie(SESSION_COOKIE, "", 0, request.url.scheme))
        return response

    @router.get("/api/v1/account")
    def account(request: Request) -> AccountBody:
        """Return who is logged in and what they may do."""
        state = request.state
        return AccountBody(person=state.person, has_login=bool(access.accounts), may_add=state.visitor.may_add)

    return router
