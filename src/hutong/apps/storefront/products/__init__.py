"""What is on sale.

Only `apps.storefront.app` puts it together with the others.
Its page is docs/apps/storefront/README.md.
"""
