"""Reports of payment vendors.

Only `apps.storefront.app` puts it together with the others.
Its page is docs/apps/storefront/README.md.
"""
