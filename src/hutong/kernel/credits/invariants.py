"""The ledger's promises as SQL. Source: reference/reliability.md §1.2 (I1, I2, I7, I12)."""

from hutong.kernel.observability.invariants import Invariant

INVARIANTS = (
    Invariant(
        "credits.balance_not_negative",
        "No account is overdrawn.",
        "SELECT account_id, balance FROM credit_accounts WHERE balance < 0",
    ),
    Invariant(
        "credits.balance_is_sum",
        "A balance is the sum of its account's entries.",
        """SELECT a.account_id, a.balance, COALESCE(SUM(e.amount), 0) AS entries
           FROM credit_accounts a LEFT JOIN credit_entries e ON e.account_id = a.account_id
           GROUP BY a.account_id, a.balance HAVING a.balance <> COALESCE(SUM(e.amount), 0)""",
    ),
    Invariant(
        "credits.entry_has_account",
        "Every entry belongs to an account.",
        """SELECT e.id, e.account_id FROM credit_entries e
           LEFT JOIN credit_accounts a ON a.account_id = e.account_id WHERE a.account_id IS NULL""",
    ),
    Invariant(
        "credits.hold_charged_once",
        "Every hold has exactly one consume entry of its amount.",
        """SELECT h.id FROM credit_holds h LEFT JOIN credit_entries e ON e.account_id = h.account_id
           AND e.kind = 'consume' AND e.ref_type = h.ref_type AND e.ref_id = h.ref_id AND e.amount = -h.amount
           GROUP BY h.id HAVING COUNT(e.id) <> 1""",
    ),
    Invariant(
        "credits.hold_given_back_once",
        "What a resolved hold did not use came back once, and nothing came back for an open one.",
        """SELECT h.id, h.state FROM credit_holds h LEFT JOIN credit_entries e ON e.account_id = h.account_id
           AND e.kind = 'refund' AND e.ref_type = h.ref_type AND e.ref_id = h.ref_id
           GROUP BY h.id, h.state, h.amount, h.settled
           HAVING COALESCE(SUM(e.amount), 0) <> CASE WHEN h.state = 'open' THEN 0 ELSE h.amount - h.settled END
           OR COUNT(e.id) > 1""",
    ),
    Invariant(
        "credits.amounts_move",
        "No entry moves nothing, and its sign fits its kind.",
        """SELECT id, kind, amount FROM credit_entries WHERE amount = 0
           OR (kind = 'consume' AND amount > 0) OR (kind IN ('purchase', 'reward', 'refund') AND amount < 0)""",
    ),
)
