"""The description of an app's API at `/<app>/docs`, to read and to try out. Nothing in it comes from the internet.

Swagger UI's two files are taken from the package fastapi-offline, which exists to carry them.
"""

from html import escape

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from hutong.host.front_page import STYLE
from hutong.kernel.http.languages import Language, negotiate

TEXTS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "API of {app}",
        "lead": "Every call can be tried here. Calls with a lock need a token: run the sign-in call, then put the "
        "<code>access_token</code> that it answers into <b>Authorize</b>.",
        "home": "Hutong",
        "plain": "OpenAPI document",
        "other": "中文",
        "script": "This page needs JavaScript; without it, read the",
    },
    "zh-CN": {
        "title": "{app} 接口文档",
        "lead": "每个接口都可以在此调试。带锁的接口需要令牌：先调用登录接口，"
        "再把返回的 <code>access_token</code> 填入 <b>Authorize</b>。",
        "home": "Hutong",
        "plain": "OpenAPI 文档",
        "other": "English",
        "script": "本页需要 JavaScript；也可直接阅读",
    },
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
START = """"use strict";
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
OWN_STYLE = """body{max-width:64rem}header{flex-wrap:wrap;gap:.3rem 1.5rem}nav{display:flex;gap:.3rem 1.2rem;flex-wrap:wrap}
#api section{background:none;border:0;border-radius:0;margin:0;padding:0}#api .wrapper,#api .information-container{padding:0}
#api .info{display:none}#api .scheme-container{background:none;box-shadow:none;margin:0;padding:.8rem 0}
#api .opblock-tag{font-size:1.15rem;color:#8a3b12;border-color:#e6e1d6;padding-left:0}#api .opblock{box-shadow:none}"""


def add_api_page(app: FastAPI) -> None:
    """Serve the page, its script and its assets below `/docs` of an app that has an OpenAPI document."""

    async def page(request: Request) -> Response:
        return _page(request, app.title)

    async def start(request: Request) -> Response:
        return Response(START, media_type="text/javascript")

    app.add_route("/docs", page, include_in_schema=False)
    app.add_route("/docs/start.js", start, include_in_schema=False)
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]))


def _page(request: Request, name: str) -> Response:
    """All links are relative, so that the page works under `/<app>`, at a host name of its own, and behind a proxy."""
    language = negotiate(request.query_params.get("lang") or request.headers.get("accept-language", ""))
    text = TEXTS[language]
    title = text["title"].format(app=escape(name))
    home = f"<a href='../'>← {text['home']}</a>" if request.scope.get("root_path") else ""
    other = "en" if language == "zh-CN" else "zh-CN"
    body = (
        f"<!doctype html><html lang={language}><meta charset=utf-8>"
        f"<meta name=viewport content='width=device-width, initial-scale=1'><title>{title}</title>"
        f"<link rel=icon href='data:,'><link rel=stylesheet href='docs/assets/swagger-ui.css'>"
        f"<style>{STYLE}{OWN_STYLE}</style><header><h1>{title}</h1>"
        f"<nav>{home}<a href='openapi.json'>{text['plain']}</a><a href='?lang={other}'>{text['other']}</a></nav></header>"
        f"<p>{text['lead']}</p><noscript><p>{text['script']} <a href='openapi.json'>{text['plain']}</a></noscript>"
        f"<div id=api></div><script src='docs/assets/swagger-ui-bundle.js'></script><script src='docs/start.js'></script></html>"
    )
    headers = {"Content-Security-Policy": POLICY, "Content-Language": language, "Vary": "Accept-Language"}
    return HTMLResponse(body, headers=headers)
