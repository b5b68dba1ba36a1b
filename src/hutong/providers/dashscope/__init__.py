"""Alibaba Cloud DashScope (Model Studio): face detection and emoji video, and a sandbox that does the job locally.

`host.wiring` gives its clients to the gateway's ports; nothing else calls it.
Its page is docs/providers/dashscope.md.
"""
