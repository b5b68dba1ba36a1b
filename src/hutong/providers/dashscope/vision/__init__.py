"""Finds a face in a photo and animates it: what Alibaba's machines do for "emoji" videos, done locally for the sandbox.

Only the DashScope sandbox and its tests may call this package, and the API process only through the unix socket of
`service`, because OpenCV, FFmpeg and LiteRT are loaded by the modules here and by nothing else.
Its page is docs/providers/dashscope.md.
"""
