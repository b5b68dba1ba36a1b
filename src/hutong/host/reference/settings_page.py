"""docs/reference/settings.md: every setting with its variable, type, default and meaning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hutong.host.reference import markdown as md
from hutong.host.settings import Settings
from hutong.kernel.settings.kernel import CONFIG_VARIABLE

HEAD = ("variable", "type", "default", "meaning")
NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", SecretStr: "secret"}
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
MADE = "a secret, made at the first start; none in production"
PUBLIC = "the sandbox's public one; refused in production"
INTRODUCTION = f"""
Hutong reads its settings from, later ones winning: the defaults below, `config.yaml`, the environment.
`{CONFIG_VARIABLE}` names another file than `config.yaml` in the working directory.
In that file names are in lower case, without `HUTONG_`, one level for each `__`.
So `HUTONG_JOBS__CONCURRENCY` is `concurrency` below `jobs`.
Lists in the environment are JSON: `["https://app.example.com"]`.
Unknown names are refused, and so are values outside the bounds.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: where it is in the tree of sections, and its field."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def variable(self) -> str:
        return "HUTONG_" + "__".join(self.path).upper()


def list_settings(section: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every setting, those inside sections too, in the order of the code."""
    for name, field in section.model_fields.items():
        inner = _section_of(field)
        if inner is None:
            yield Setting((*path, name), field)
        else:
            yield from list_settings(inner, (*path, name))


def render_settings() -> str:
    """The page."""
    found = list(list_settings())
    parts = ["## Installation", _rows([setting for setting in found if len(setting.path) == 1])]
    for name, field in Settings.model_fields.items():
        section = _section_of(field)
        if section is not None:
            own = [setting for setting in found if len(setting.path) > 1 and setting.path[0] == name]
            parts += [f"## `{name}`", md.first_sentence(section.__doc__), _rows(own)]
    return md.page("Settings", INTRODUCTION, *parts)


def _rows(settings: Sequence[Setting]) -> str:
    rows = (
        (md.code(setting.variable), _type(setting.field), _default(setting), setting.field.description or "")
        for setting in settings
    )
    return md.table(HEAD, rows)


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _type(field: FieldInfo) -> str:
    bounds = [
        f"{word} {md.number(limit)}"
        for part in field.metadata
        for name, word in BOUNDS.items()
        if (limit := getattr(part, name, None)) is not None
    ]
    return ", ".join([_name(field.annotation), *bounds])


def _name(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(md.code(choice) for choice in inner)
    if origin in {Union, UnionType}:
        return " or ".join(_name(part) for part in inner if part is not NoneType)
    if origin is list:
        return f"list of {_name(inner[0])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "{" + ", ".join(md.code(name) for name in kind.model_fields) + "}"
    return NAMES[kind]


def _default(setting: Setting) -> str:
    """The default as it is written in the environment; a secret's is never shown."""
    value = _default_of(setting)
    if "secret" in _name(setting.field.annotation):
        return PUBLIC if value else MADE
    if value in ("", [], None):
        return ""
    if isinstance(value, bool):
        return md.code(str(value).lower())
    if isinstance(value, int | float):
        return md.code(md.number(value))
    if isinstance(value, list):
        return md.code("[" + ", ".join(f'"{item}"' for item in value) + "]")
    return md.code(value)


def _default_of(setting: Setting) -> Any:
    """The default that counts: a section's own instance in its parent wins over the class's fields."""
    value: Any = Settings.model_fields[setting.path[0]].get_default(call_default_factory=True)
    for name in setting.path[1:]:
        value = getattr(value, name)
    return None if value is PydanticUndefined else value
