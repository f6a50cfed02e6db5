"""Amounts of USD in docmill.toml."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

Price = Annotated[Decimal, Field(ge=0)]
"""USD, 0 or more."""
