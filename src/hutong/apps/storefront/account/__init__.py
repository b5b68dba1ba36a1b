"""The caller's own profile and devices.

Only `apps.storefront.app` puts it together with the others.
Its page is docs/apps/storefront/README.md.
"""
