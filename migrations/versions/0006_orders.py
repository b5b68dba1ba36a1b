"""Orders, payments, refunds, and the inbox of payment notices

Revision: 0006
Before: 0002
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, Json, UtcTime

revision = "0006"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:



def downgrade() -> None:
    for table in ("payment_notices", "order_refunds", "order_payments", "order_events", "orders"):
        op.drop_table(table)
