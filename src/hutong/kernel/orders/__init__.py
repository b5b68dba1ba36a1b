"""Orders: what was bought, for how much, whether it was paid, and what was given back.

Apps call its services and implement fulfilment; providers implement `PaymentChannel`. Rows are private to this package.
Its page is docs/kernel/orders.md.
"""

from hutong.kernel.orders.catalogue import Catalogue, Grants, Product, Products, products_document
from hutong.kernel.orders.invariants import INVARIANTS
from hutong.kernel.orders.ports import Money, PaymentChannel, PayParameters
from hutong.kernel.orders.service import Orders, OrdersWork
from hutong.kernel.orders.settings import OrdersSettings
from hutong.kernel.orders.shop import Shop
from hutong.kernel.orders.tables import OrderStatus, RefundStage, Review
from hutong.kernel.orders.views import Created, OnFulfilled, Order, Received, RefundView

__all__ = [
    "INVARIANTS",
    "Catalogue",
    "Created",
    "Grants",
    "Money",
    "OnFulfilled",
    "Order",
    "OrderStatus",
    "Orders",
    "OrdersSettings",
    "OrdersWork",
    "PayParameters",
    "PaymentChannel",
    "Product",
    "Products",
    "Received",
    "RefundStage",
    "RefundView",
    "Review",
    "Shop",
    "products_document",
]
