"""Orders: what was bought, for how much, whether it was paid, and what was given back.

Apps call its services and implement fulfilment; providers implement `PaymentChannel`. Rows are private to this package.
Its page is docs/kernel/orders.md.
"""
