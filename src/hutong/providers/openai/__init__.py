"""Chat models behind the wire of OpenAI's Chat Completions: OpenAI itself, Qwen's compatible mode, vLLM, Ollama, any base URL.

`host.wiring` gives its clients to the gateway's chat port, one for each provider of the settings; nothing else calls it.
Its page is docs/providers/openai.md.
"""
