"""How hard property tests try: `make test` plays the same examples each time, `--hypothesis-profile=long` looks for new ones."""

from hypothesis import HealthCheck, settings

SLOW_IS_NO_FAILURE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)

settings.register_profile(
    "house",
    derandomize=True,  # a change fails because of what it changes, never because of the day it was made
    database=None,
    deadline=None,
    print_blob=True,
    max_examples=30,
    stateful_step_count=30,
    suppress_health_check=SLOW_IS_NO_FAILURE,
)
settings.register_profile(
    "long",
    deadline=None,
    print_blob=True,
    max_examples=1000,
    stateful_step_count=80,
    suppress_health_check=SLOW_IS_NO_FAILURE,
)
settings.load_profile("house")


def share(part: float) -> settings:
    """The chosen profile with fewer examples, for machines whose every step is a whole flow.

    Args:
        part: of the profile's examples, 0 to 1.
    """
    chosen = settings()
    return settings(chosen, max_examples=max(1, round(chosen.max_examples * part)))
