"""The WebSocket of the chat app: send and hear messages in all tabs of a user, on every process.

`Live` says who may come in and what a frame means; everything that sockets share is `kernel.realtime`.
Its protocol is docs/apps/chat-protocol.md.
"""
