"""What every app needs and no app owns: database, store, jobs, files, identity, credits, gateway.

Apps and providers may call its services; it knows no app, no vendor and no response body.
Its floors and their order are in docs/map.md.
"""
