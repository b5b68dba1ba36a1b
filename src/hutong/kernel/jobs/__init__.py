"""Durable jobs: a row in SQL written with the business transaction, a Redis stream as its doorbell, schedules, dead
letters and machine-number leases.

Services call `Jobs.enqueue` inside a transaction; the host runs `Worker`.
Its page is docs/kernel/jobs.md.
"""

from hutong.kernel.jobs.bell import Bell
from hutong.kernel.jobs.machines import LeasedIds
from hutong.kernel.jobs.policies import Again, Job, Retry, Schedule, Task
from hutong.kernel.jobs.queue import Jobs
from hutong.kernel.jobs.worker import Worker

__all__ = ["Again", "Bell", "Job", "Jobs", "LeasedIds", "Retry", "Schedule", "Task", "Worker"]
