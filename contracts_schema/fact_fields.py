"""What the bodies of facts are made of: names, decimal texts, moments and texts within their bounds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from contracts_schema.records import IDENTIFIER

Name = Annotated[str, Meta(pattern=IDENTIFIER)]
Quantity = Annotated[str, Meta(pattern=r"^[0-9]{1,15}(\.[0-9]{1,6})?$")]
Figure = Annotated[str, Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$")]
Percent = Annotated[str, Meta(pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?$")]
Moment = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(max_length=4000)]


class Body(Struct, frozen=True, tag_field="kind", omit_defaults=True):
    """What a fact says beside its address."""
