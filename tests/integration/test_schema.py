"""The steps of the schema lead to the tables that the program knows, on both databases, however they are run."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import KINDS, fresh_url
from sqlalchemy import inspect, text

from asl.errors import Unavailable
from asl.infra import keys, schema
from asl.infra.database import Database
from asl.infra.tables import Base

_TABLES = set(Base.metadata.tables)


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    with fresh_url(request.param, request, tmp_path) as found:
        yield found


@pytest.fixture
def empty(url):
    database = Database(url)
    yield database
    database.close()


def _tables(database):
    return set(inspect(database.engine).get_table_names())


def _differences(database):
    def is_ours(name, kind, _):
        # SQLite tells wrongly of an index over an expression; the next test compares those there.
        return name != "alembic_version" and not (database.is_sqlite and kind == "index")

    options = {"compare_type": True, "include_name": is_ours}
    with database.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index:UserWarning")
def test_the_steps_lead_to_the_tables_of_the_program(empty):
    assert _differences(empty)  # nothing is there yet: the comparison can find what is missing
    assert schema.upgrade(empty) == (None, schema.expected())
    assert [found for found in _differences(empty) if not (empty.is_sqlite and found[0] == "add_index")] == []
    assert schema.check_current(empty) == schema.expected()


def test_the_steps_lead_to_the_same_indexes_on_sqlite(tmp_path):
    stepped, made = (Database(f"sqlite:///{tmp_path}/{name}.db") for name in ("stepped", "made"))
    schema.upgrade(stepped)
    Base.metadata.create_all(made.engine)
    indexes = text("SELECT replace(sql, '\"', '') FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    found, wanted = (_rows(database, indexes) for database in (stepped, made))
    assert any("priority DESC" in index for index in wanted)
    assert found == wanted
    stepped.close()
    made.close()


def _rows(database, query):
    with database.reading() as session:
        return set(session.scalars(query))


def test_an_upgrade_of_what_is_current_changes_nothing(empty):
    schema.upgrade(empty)
    keys.create(empty, name="kept")
    assert schema.upgrade(empty) == (schema.expected(), schema.expected())
    with empty.reading() as session:
        assert [key.name for key in keys.list_all(session)] == ["kept"]


def test_the_way_back_leads_to_nothing_and_forth_again(empty):
    schema.upgrade(empty)
    schema.downgrade(empty)
    assert _tables(empty) <= {"alembic_version"}
    with pytest.raises(Unavailable, match="not there"):
        schema.check_current(empty)
    schema.upgrade(empty)
    assert _tables(empty) >= _TABLES


def test_processes_that_upgrade_at_once_wait_for_each_other(url):
    code = (
        "import sys; from asl.infra import schema, database; print(schema.upgrade(database.Database(sys.argv[1]))[0])"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ended = [process.communicate(timeout=180) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], ended
    assert sorted(out.strip() for out, _ in ended) == sorted(["None", schema.expected(), schema.expected()])


def test_a_step_that_fails_leaves_the_schema_as_it_was(empty):
    with empty.transaction() as session:
        session.execute(text("CREATE TABLE webhook_delivery (id int)"))  # in the way of one of the last tables
    with pytest.raises(Exception, match="webhook_delivery"):
        schema.upgrade(empty)
    assert _tables(empty) == {"webhook_delivery"}


def test_a_schema_of_a_later_program_is_left_alone(empty):
    schema.upgrade(empty)
    with empty.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="9999") as refused:
        schema.upgrade(empty)
    assert "later version" in refused.value.hint


def test_a_program_goes_on_while_a_later_one_has_upgraded_its_servers_database(empty):
    schema.upgrade(empty)
    with empty.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    if empty.is_sqlite:  # on one machine there is one version
        with pytest.raises(Unavailable, match="9999"):
            schema.check_current(empty)
    else:
        assert schema.check_current(empty) == "9999"


def test_each_step_leaves_alone_what_the_version_before_uses(empty):
    first, *later = _revisions()
    _go_to(empty, first)
    for revision in later:
        before = _shape(empty)
        _go_to(empty, revision)
        assert _harm(before, _shape(empty)) == [], f"step {revision} is in the way of the version before it"


def test_a_step_that_is_in_the_way_of_the_version_before_is_found(empty):
    schema.upgrade(empty)
    before = _shape(empty)
    with empty.transaction() as session:
        for harmful in (
            "DROP TABLE webhook_delivery",
            "ALTER TABLE job RENAME COLUMN webhook TO told",
            "ALTER TABLE sample ADD COLUMN room text NOT NULL DEFAULT ''",
            "ALTER TABLE sample ADD COLUMN light text",
            "CREATE UNIQUE INDEX one_name ON sample (name)",
        ):
            session.execute(text(harmful))
    assert sorted(_harm(before, _shape(empty))) == ["job.webhook", "sample: unique ['name']", "webhook_delivery"]


def test_a_new_column_that_rows_need_is_found(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/asl.db")
    with database.transaction() as session:
        session.execute(text("CREATE TABLE job (id int)"))
    before = _shape(database)
    with database.transaction() as session:
        session.execute(text("DROP TABLE job"))
        session.execute(text("CREATE TABLE job (id int, room text NOT NULL, light text NOT NULL DEFAULT '')"))
    assert _harm(before, _shape(database)) == ["job: needs room"]
    database.close()


def _revisions():
    with_steps = ScriptDirectory(str(Path(schema.__file__).with_name("migrations")))
    return [script.revision for script in with_steps.walk_revisions()][::-1]


def _go_to(database, revision):
    with schema.changing(database) as connection:
        command.upgrade(schema.make_config(connection), revision)


def _shape(database):
    """Tell of each table its columns, whether a row needs them, and what must be unique."""
    found = inspect(database.engine)
    return {
        table: (
            {c["name"]: (str(c["type"]), c["nullable"], c["default"] is not None) for c in found.get_columns(table)},
            {tuple(sorted(map(str, index["column_names"]))) for index in found.get_indexes(table) if index["unique"]},
        )
        for table in found.get_table_names()
    }


def _harm(before, after):
    """Name what a program that knows only the shape before would miss, or what would refuse its rows."""
    found = []
    for table, (columns, unique) in before.items():
        if table not in after:
            found.append(table)
            continue
        columns_now, unique_now = after[table]
        found += [f"{table}.{name}" for name, column in columns.items() if columns_now.get(name) != column]
        added = columns_now.keys() - columns.keys()
        found += [f"{table}: needs {name}" for name in added if not any(columns_now[name][1:])]
        found += [f"{table}: unique {list(names)}" for names in unique_now - unique]
    return found


def test_an_older_schema_is_told_with_what_to_do(empty):
    with pytest.raises(Unavailable, match=f"not there, expected {schema.expected()}") as refused:
        schema.check_current(empty)
    assert "asl db upgrade" in refused.value.hint


def test_a_database_that_is_away_is_told():
    database = Database("postgresql://asl@127.0.0.1:1/none")
    for use in (schema.check_current, schema.upgrade):
        with pytest.raises(Unavailable, match="cannot be reached"):
            use(database)


def test_a_table_that_is_copied_on_sqlite_keeps_the_rows_that_refer_to_it(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/asl.db")
    with database.transaction() as session:
        session.execute(text("CREATE TABLE parent (id int PRIMARY KEY)"))
        session.execute(text("CREATE TABLE child (id int REFERENCES parent (id) ON DELETE CASCADE)"))
        session.execute(text("INSERT INTO parent VALUES (1)"))
        session.execute(text("INSERT INTO child VALUES (1)"))
    with schema.changing(database) as connection:
        connection.exec_driver_sql("CREATE TABLE copy AS SELECT * FROM parent")
        connection.exec_driver_sql("DROP TABLE parent")
        connection.exec_driver_sql("ALTER TABLE copy RENAME TO parent")
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM child")) == 1
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
    database.close()
