"""Programs of the peers: each runs in an environment of its own, by that peer's documented means. docs/benchmarks.md.

They import nothing of Hutong and nothing of each other, for they see neither.
"""
