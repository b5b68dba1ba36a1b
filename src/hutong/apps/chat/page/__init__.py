"""The chat page: plain HTML, style sheets and ES modules, served as they lie in `static/`, without a build step.

The app's `app.py` includes its router; the page itself talks to the app by nothing but its public API.
Its page is docs/apps/chat-page.md.
"""
