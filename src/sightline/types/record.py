"""The base of every record."""

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _RecordMeta(msgspec.StructMeta):
    """Tells type checkers what `Record` tells msgspec: its subclasses are frozen and take keywords."""


class Record(msgspec.Struct, metaclass=_RecordMeta, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of all records: immutable, hashable, strict when read from a file."""
