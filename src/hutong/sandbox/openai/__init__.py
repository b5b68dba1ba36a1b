"""A stand-in for OpenAI that speaks the wire of Chat Completions, with a page of buttons for mishaps.

It shares no code with the client, and answers without any model, the same to the same request. Only `host` mounts it (at
`/sandbox/openai`), in development, tests and the demo. Its page is docs/providers/openai.md.
"""

from hutong.sandbox.openai.app import Sandbox, create_sandbox
from hutong.sandbox.openai.settings import OpenAISandboxSettings

__all__ = ["OpenAISandboxSettings", "Sandbox", "create_sandbox"]
