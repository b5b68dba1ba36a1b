"""What the vendors' local stand-ins are built of: state, mishaps, buttons, the page's look, answers that never arrive.

Only the `sandbox` packages of providers, `sandbox.openai` and the host import it. Its page is docs/providers/sandboxes.md.
"""
