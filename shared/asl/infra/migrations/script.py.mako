<%!
def plain(commands):
    lines = (commands or "pass").splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("# ###")).strip()
%>"""${message[:1].upper()}${message[1:]}."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: Final = ${repr(up_revision)}
down_revision: Final[str | None] = ${repr(down_revision)}
branch_labels: Final[Sequence[str] | None] = ${repr(branch_labels)}
depends_on: Final[Sequence[str] | None] = ${repr(depends_on)}

_JSON: Final = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Take the step."""
    ${plain(upgrades)}


def downgrade() -> None:
    """Take it back."""
    ${plain(downgrades)}
