"""Settings of the compatible endpoint."""

from pydantic import Field

from hutong.kernel.settings import Section


class CompatibleSettings(Section):
    """The endpoint under `/v1`."""

    usual_output: int = Field(
        1024, ge=1, description="Tokens of the quota that are reserved for an answer whose caller names no bound."
    )
    refused_keys_per_minute: int = Field(
        30,
        ge=1,
        description="Wrong API keys a minute from one address, before unknown keys are not looked up any more.",
    )
    keep_days: int = Field(30, ge=1, description="Days that stored responses are kept.")
    save_seconds: float = Field(
        2.0, gt=0, description="Seconds between two savings of a response that is being written."
    )
    lease_seconds: float = Field(
        60.0, gt=0, description="Seconds without a sign of life after which the process of a call counts as dead."
    )
    sweep_seconds: float = Field(20.0, gt=0, description="Seconds between two looks for calls whose process died.")
