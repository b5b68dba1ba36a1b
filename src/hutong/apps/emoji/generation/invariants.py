"""The pipeline's promises as SQL. Source: reference/reliability.md I8; DESIGN §2.15."""

from hutong.kernel.gateway import VIDEO_LANE
from hutong.kernel.observability.invariants import Invariant

INVARIANTS = (
    Invariant(
        "emoji.ended_task_resolved",
        "A completed task's points are settled, a failed one's are back.",
        """SELECT t.id, t.status, h.state FROM emoji_tasks t JOIN credit_holds h ON h.id = t.hold_id
           WHERE (t.status = 'completed' AND h.state <> 'settled') OR (t.status = 'failed' AND h.state <> 'released')
           OR (t.status IN ('pending', 'processing') AND h.state <> 'open')""",
    ),
    Invariant(
        "emoji.task_has_hold",
        "Every task was charged for.",
        "SELECT t.id FROM emoji_tasks t LEFT JOIN credit_holds h ON h.id = t.hold_id WHERE h.id IS NULL",
    ),
    Invariant(
        "emoji.hold_has_task",
        "No open charge stands for a task that is gone.",
        """SELECT h.id, h.ref_id FROM credit_holds h LEFT JOIN emoji_tasks t ON t.hold_id = h.id
           WHERE h.state = 'open' AND h.ref_type LIKE 'emoji_task:%' AND t.id IS NULL""",
    ),
    Invariant(
        "emoji.completed_has_result",
        "Every completed task has its video.",
        "SELECT id FROM emoji_tasks WHERE status = 'completed' AND (result_key IS NULL OR completed_at IS NULL)",
    ),
    Invariant(
        "emoji.slot_has_task",
        "A submission slot is held only by a task that is with the provider.",
        f"""SELECT s.slot, s.ref_id FROM provider_slots s WHERE s.lane = '{VIDEO_LANE}' AND NOT EXISTS (
           SELECT 1 FROM emoji_tasks t WHERE CAST(t.id AS CHAR(20)) = s.ref_id AND t.stage IN ('submitting', 'generating'))""",  # noqa: S608 - a constant
    ),
    Invariant(
        "emoji.stage_fits_status",
        "Stage and status say the same.",
        """SELECT id, status, stage FROM emoji_tasks WHERE (stage = 'queued') <> (status = 'pending')
           OR (stage = 'ended') <> (status IN ('completed', 'failed'))""",
    ),
)
