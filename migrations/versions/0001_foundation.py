"""Foundation

Revision: 0001
Before: None
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, Json, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credentials",
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("identifier", sa.String(128), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "kind", "identifier", name="pk_credentials"),
        sa.UniqueConstraint("user_id", "kind", "identifier", name="uq_credentials_user_id_kind_identifier"),
    )
    op.create_index("ix_credentials_user_id", "credentials", ["user_id"], unique=False)
    op.create_table(
        "credit_accounts",
        sa.Column("account_id", Id(), autoincrement=False, nullable=False),
        sa.Column("balance", Id(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.CheckConstraint("balance >= 0", name="ck_credit_accounts_balance_not_negative"),
        sa.PrimaryKeyConstraint("account_id", name="pk_credit_accounts"),
    )
    op.create_table(
        "credit_entries",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("account_id", Id(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount", Id(), nullable=False),
        sa.Column("balance_after", Id(), nullable=False),
        sa.Column("idempotency_key", sa.String(128), nullable=False),
        sa.Column("period_key", sa.String(32), nullable=True),
        sa.Column("ref_type", sa.String(32), nullable=True),
        sa.Column("ref_id", sa.String(64), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credit_entries"),
        sa.UniqueConstraint("account_id", "idempotency_key", name="uq_credit_entries_account_id_idempotency_key"),
        sa.UniqueConstraint("account_id", "kind", "period_key", name="uq_credit_entries_account_id_kind_period_key"),
    )
    op.create_index("ix_credit_entries_account_id_id", "credit_entries", ["account_id", "id"], unique=False)
    op.create_table(
        "credit_holds",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("account_id", Id(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ref_type", sa.String(32), nullable=False),
        sa.Column("ref_id", sa.String(64), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("resolved_at", UtcTime(), nullable=True),
        sa.CheckConstraint("amount > 0", name="ck_credit_holds_amount_positive"),
        sa.CheckConstraint("settled >= 0 AND settled <= amount", name="ck_credit_holds_settled_within"),
        sa.PrimaryKeyConstraint("id", name="pk_credit_holds"),
        sa.UniqueConstraint("account_id", "ref_type", "ref_id", name="uq_credit_holds_account_id_ref_type_ref_id"),
    )
    op.create_index("ix_credit_holds_account_id", "credit_holds", ["account_id"], unique=False)
    op.create_index("ix_credit_holds_state_expires_at", "credit_holds", ["state", "expires_at"], unique=False)
    op.create_table(
        "dead_jobs",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("args", Json(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("died_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dead_jobs"),
    )
    op.create_index("ix_dead_jobs_died_at", "dead_jobs", ["died_at"], unique=False)
    op.create_table(
        "emoji_pictures",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("object_key", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("checked_at", UtcTime(), nullable=True),
        sa.Column("refusal", sa.String(32), nullable=True),
        sa.Column("vendor_code", sa.String(64), nullable=True),
        sa.Column("face_bbox", Json(), nullable=True),
        sa.Column("ext_bbox", Json(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_emoji_pictures"),
    )
    op.create_index("ix_emoji_pictures_user_id", "emoji_pictures", ["user_id"], unique=False)
    op.create_table(
        "emoji_task_events",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("task_id", Id(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("note", sa.String(255), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_emoji_task_events"),
    )
    op.create_index("ix_emoji_task_events_task_id", "emoji_task_events", ["task_id"], unique=False)
    op.create_table(
        "emoji_tasks",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("task_type", sa.String(32), nullable=False),
        sa.Column("picture_id", Id(), nullable=False),
        sa.Column("source_image_key", sa.String(200), nullable=False),
        sa.Column("driven_id", sa.String(64), nullable=False),
        sa.Column("style_name", sa.String(64), nullable=False),
        sa.Column("face_bbox", Json(), nullable=False),
        sa.Column("ext_bbox", Json(), nullable=False),
        sa.Column("points_cost", sa.Integer(), nullable=False),
        sa.Column("hold_id", Id(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("submissions", sa.Integer(), nullable=False),
        sa.Column("remote_task_id", sa.String(128), nullable=True),
        sa.Column("video_url", sa.Text(), nullable=True),
        sa.Column("video_seconds", sa.Integer(), nullable=True),
        sa.Column("result_key", sa.String(200), nullable=True),
        sa.Column("error_code", sa.String(64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=True),
        sa.Column("submitted_at", UtcTime(), nullable=True),
        sa.Column("generated_at", UtcTime(), nullable=True),
        sa.Column("completed_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_emoji_tasks"),
        sa.UniqueConstraint("remote_task_id", name="uq_emoji_tasks_remote_task_id"),
    )
    op.create_index("ix_emoji_tasks_picture_id", "emoji_tasks", ["picture_id"], unique=False)
    op.create_index("ix_emoji_tasks_status_id", "emoji_tasks", ["status", "id"], unique=False)
    op.create_index("ix_emoji_tasks_user_id_id", "emoji_tasks", ["user_id", "id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", Id(), autoincrement=False, nullable=False),
        sa.Column("operation", sa.String(64), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("claim", Id(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", Json(), nullable=True),
        sa.Column("claimed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "operation", "key_hash", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_claimed_at", "idempotency_keys", ["claimed_at"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("args", Json(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("dedup_key", sa.String(128), nullable=True),
        sa.Column("run_at", UtcTime(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("requested", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(64), nullable=True),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("dedup_key", name="uq_jobs_dedup_key"),
    )
    op.create_index("ix_jobs_state_run_at", "jobs", ["state", "run_at"], unique=False)
    op.create_table(
        "machine_leases",
        sa.Column("machine", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("last_ms", Id(), nullable=False),
        sa.PrimaryKeyConstraint("machine", name="pk_machine_leases"),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", Id(), autoincrement=False, nullable=False),
        sa.Column("plan", sa.String(32), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "plan", name="pk_memberships"),
    )
    op.create_table(
        "provider_paces",
        sa.Column("lane", sa.String(32), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.Column("paused_until", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("lane", name="pk_provider_paces"),
    )
    op.create_table(
        "provider_slots",
        sa.Column("lane", sa.String(32), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ref_id", sa.String(64), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "slot", name="pk_provider_slots"),
        sa.UniqueConstraint("lane", "ref_id", name="uq_provider_slots_lane_ref_id"),
    )
    op.create_table(
        "schedules",
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("task", name="pk_schedules"),
    )
    op.create_table(
        "users",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("nickname", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("tokens_valid_from", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_index("ix_users_realm_id", "users", ["realm", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_users_realm_id", table_name="users")
    op.drop_table("users")
    op.drop_table("schedules")
    op.drop_table("provider_slots")
    op.drop_table("provider_paces")
    op.drop_table("memberships")
    op.drop_table("machine_leases")
    op.drop_index("ix_jobs_state_run_at", table_name="jobs")
    op.drop_table("jobs")
    op.drop_index("ix_idempotency_keys_claimed_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_emoji_tasks_user_id_id", table_name="emoji_tasks")
    op.drop_index("ix_emoji_tasks_status_id", table_name="emoji_tasks")
    op.drop_index("ix_emoji_tasks_picture_id", table_name="emoji_tasks")
    op.drop_table("emoji_tasks")
    op.drop_index("ix_emoji_task_events_task_id", table_name="emoji_task_events")
    op.drop_table("emoji_task_events")
    op.drop_index("ix_emoji_pictures_user_id", table_name="emoji_pictures")
    op.drop_table("emoji_pictures")
    op.drop_index("ix_dead_jobs_died_at", table_name="dead_jobs")
    op.drop_table("dead_jobs")
    op.drop_index("ix_credit_holds_state_expires_at", table_name="credit_holds")
    op.drop_index("ix_credit_holds_account_id", table_name="credit_holds")
    op.drop_table("credit_holds")
    op.drop_index("ix_credit_entries_account_id_id", table_name="credit_entries")
    op.drop_table("credit_entries")
    op.drop_table("credit_accounts")
    op.drop_index("ix_credentials_user_id", table_name="credentials")
    op.drop_table("credentials")
