"""OpenAI's Responses on top of Chat Completions: requests translated one way, answers and streams the other.

Only `apps.chat.compatible` uses it; its pure parts know neither the database nor the gateway.
Its page is docs/apps/chat-openai.md.
"""
