"""The environment of a production process that lacks nothing; a test takes something away, or adds to it."""

STRONG = "vV3-kD8_qZ1rT6yB0nM4wL9xC2sF7hJ5gP"
PRODUCTION = {
    "HUTONG_ENV": "production",
    "HUTONG_SECRET": STRONG,
    "HUTONG_EMOJI__TOKENS__KEYS": f'[{{"kid": "2026-11", "secret": "{STRONG}"}}]',
    "HUTONG_STOREFRONT__TOKENS__KEYS": f'[{{"kid": "2026-11", "secret": "{STRONG}"}}]',
    "HUTONG_CHAT__TOKENS__KEYS": f'[{{"kid": "2026-11", "secret": "{STRONG}"}}]',
    "HUTONG_DASHSCOPE__BASE_URL": "https://dashscope.aliyuncs.com/api/v1",
    "HUTONG_DASHSCOPE__API_KEY": "sk-an-account-of-their-own",
    "HUTONG_SMTP__HOST": "smtp.example.com",
    "HUTONG_SMTP__SENDER": "Lantern <no-reply@example.com>",
}
