"""What alembic runs: the steps, on the connection and in the transaction that `asl.infra.schema` opened."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, BigInteger

from asl.infra.tables import Base


def _render(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Write the types that differ between the databases by the names that `script.py.mako` gives them."""
    if kind == "type" and isinstance(item, (JSON, BigInteger)):
        return "_JSON" if isinstance(item, JSON) else "_BIG"
    return False


_connection = context.config.attributes["connection"]
context.configure(
    connection=_connection,
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a column: alembic copies the table there, and only there
    compare_type=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
