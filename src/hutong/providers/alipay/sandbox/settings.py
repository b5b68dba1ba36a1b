"""What the sandbox is told at start."""

from hutong.sandbox.payments import PaymentSandboxSettings


class AlipaySandboxSettings(PaymentSandboxSettings):
    """Settings of one sandbox: one application of one merchant."""

    app_id: str
    seller_id: str
    app_public_key: str = ""
    """PEM of the key that verifies the application's requests; empty: that of the data folder."""

    @property
    def gateway_url(self) -> str:
        """What a client is given."""
        return f"{self.public_url}/gateway.do"
