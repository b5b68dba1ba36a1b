"""The endpoint that OpenAI's clients speak: Chat Completions, Responses and Models under `/v1`, with keys, quotas and records.

Only `apps.chat.app` puts it together with the others; it asks the kernel's gateway and never the app's conversations.
Its page is docs/apps/chat-openai.md.
"""
