"""The page at `/`: where everything is on this installation, in English or Chinese."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from hutong import __version__
from hutong.host.channels import ALIPAY_PATH, WECHAT_PAY_PATH
from hutong.host.chatting import OPENAI_SANDBOX_PATH
from hutong.host.wiring import MAIL_SANDBOX_PATH, OSS_SANDBOX_PATH, SANDBOX_PATH, Host
from hutong.kernel.assembly import AppSpec
from hutong.kernel.http.languages import Language, negotiate

TEXTS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "Hutong is up",
        "lead": "Consumer-AI backends on one kernel. This installation serves:",
        "page": "The page",
        "app": "API description and try-out",
        "health": "Health",
        "sandbox": "DashScope sandbox: a local stand-in for the vendor, with buttons",
        "oss_sandbox": "OSS sandbox: a local stand-in for the object storage, with buttons",
        "mail_sandbox": "Mail sandbox: every mail that was sent, with buttons",
        "wechat_pay_sandbox": "WeChat Pay sandbox: a local stand-in for the payment channel, with buttons",
        "alipay_sandbox": "Alipay sandbox: a local stand-in for the payment channel, with buttons",
        "openai_sandbox": "OpenAI sandbox: a local stand-in for chat models, with buttons",
        "host": "For operators",
        "other": "中文",
    },
    "zh-CN": {
        "title": "Hutong 已启动",
        "lead": "同一内核上的消费级 AI 后端。本机提供：",
        "page": "打开页面",
        "app": "接口文档与调试",
        "health": "健康检查",
        "sandbox": "DashScope 沙箱：本地模拟的服务商，带操作按钮",
        "oss_sandbox": "OSS 沙箱：本地模拟的对象存储，带操作按钮",
        "mail_sandbox": "邮件沙箱：查看所有已发送的邮件，带操作按钮",
        "wechat_pay_sandbox": "微信支付沙箱：本地模拟的支付渠道，带操作按钮",
        "alipay_sandbox": "支付宝沙箱：本地模拟的支付渠道，带操作按钮",
        "openai_sandbox": "OpenAI 沙箱：本地模拟的聊天模型，带操作按钮",
        "host": "运维",
        "other": "English",
    },
}
STYLE = """body{font:16px/1.6 system-ui,"Noto Sans CJK SC",sans-serif;max-width:44rem;margin:3rem auto;padding:0 1.2rem;color:#1f2933;
background:#fbfaf7}h1{font-size:1.7rem;margin:0}header{display:flex;align-items:baseline;justify-content:space-between;gap:1rem}
section{background:#fff;border:1px solid #e6e1d6;border-radius:10px;padding:1rem 1.3rem;margin:1rem 0}
h2{font-size:1.05rem;margin:0 0 .3rem;color:#8a3b12}a{color:#0b5c8a}ul{margin:0;padding-left:1.1rem}small{color:#6b7280}"""


def front_page(scope: Scope, host: Host) -> Response:
    """The page, in the language that `?lang=` or the browser asks for."""
    request = Request(scope)
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    language = negotiate(asked)
    text = TEXTS[language]
    other = "en" if language == "zh-CN" else "zh-CN"
    sections = "".join(_app(spec, text, docs=not host.settings.production) for spec in host.specs)
    body = (
        f"<!doctype html><html lang={language}><meta charset=utf-8><link rel=icon href='data:,'>"
        f"<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{text['title']}</title><style>{STYLE}</style><header><h1>{text['title']}</h1>"
        f"<a href='?lang={other}'>{text['other']}</a></header><p>{text['lead']}</p>{sections}{_host(text, host)}"
        f"<p><small>Hutong {escape(__version__)} · {escape(host.settings.env)}</small></p></html>"
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(body, headers={"Content-Security-Policy": policy, "Vary": "Accept-Language"})


def _app(spec: AppSpec, text: dict[str, str], *, docs: bool) -> str:
    name = spec.name
    page = f"<li><a href='/{name}/'>{text['page']}</a>" if spec.page else ""
    described = f"<li><a href='/{name}/docs'>{text['app']}</a>" if docs else ""
    health = f"<li><a href='/{name}{spec.health}'>{text['health']}</a>"
    return f"<section><h2>{escape(name)}</h2><ul>{page}{described}{health}</ul></section>"


def _host(text: dict[str, str], host: Host) -> str:
    chosen = host.settings
    there = {
        (SANDBOX_PATH, "sandbox"): chosen.sandboxed,
        (OSS_SANDBOX_PATH, "oss_sandbox"): chosen.oss_sandboxed,
        (MAIL_SANDBOX_PATH, "mail_sandbox"): chosen.smtp.sandboxed,
        (WECHAT_PAY_PATH, "wechat_pay_sandbox"): chosen.wechat_pay_sandboxed,
        (ALIPAY_PATH, "alipay_sandbox"): chosen.alipay_sandboxed,
        (OPENAI_SANDBOX_PATH, "openai_sandbox"): chosen.openai_sandboxed,
    }
    sandbox = "".join(f"<li><a href='{path}/'>{text[name]}</a>" for (path, name), is_there in there.items() if is_there)
    probes = "<li><a href='/livez'>/livez</a> · <a href='/readyz'>/readyz</a> · <a href='/metrics'>/metrics</a>"
    return f"<section><h2>{text['host']}</h2><ul>{sandbox}{probes}</ul></section>"
