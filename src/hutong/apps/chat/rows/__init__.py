"""The chat app's tables and the queries over them, each one scoped by the user whose rows they are.

All features of the app read and write through these functions; nobody else writes SQL over these tables.
Its page is docs/apps/chat/README.md.
"""
