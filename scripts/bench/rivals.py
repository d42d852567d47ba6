"""Systems that count events anew for each question: PostgreSQL and ClickHouse, each with the same events and the same
questions.

Both get what suits them best. Properties are columns of their own, which only a table made for these very metrics has;
the index that PostgreSQL reads holds them all, so that it never looks at the table, and ClickHouse sorts by what is
asked for. Nothing else runs in them, and all lies in memory. Amounts are exact in both.
"""

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from scripts.bench.heavy import MONTH, ORGANIZATION, QUESTIONS, SUBSCRIPTION, clock_text

# By (question, cloud, region); the latter two are empty where a question does not tell them apart.
Answers = dict[tuple[str, str, str], Decimal]

_COLUMNS = "organization, subscription, transaction_id, code, timestamp, amount, user_id, cloud, region"


class Rival(Protocol):
    """A database that answers the questions."""

    name: str

    def load(self, path: Path) -> None:
        """Hold the events of a file (tab-separated, in the order of the columns), and no others, ready to be asked."""

    def ask(self, questions: Sequence[str], until: datetime) -> Answers:
        """The answers to these questions about the month up to an instant, in one statement."""


class PostgreSQL:
    """A cluster of its own in a folder that is thrown away; spoken to through a socket in that folder."""

    name = "PostgreSQL"

    _SELECTS = {
        "sum": "SELECT 'sum', '', '', sum(amount) FROM used WHERE {range} AND code = 'sum'",
        "max": "SELECT 'max', '', '', max(amount) FROM used WHERE {range} AND code = 'max'",
        # Three times as fast as count(DISTINCT ...), which sorts.
        "unique": "SELECT 'unique', '', '', count(*) FROM"
        " (SELECT DISTINCT user_id FROM used WHERE {range} AND code = 'unique') AS users",
        # All combinations in one pass.
        "filters": "(SELECT 'filters', cloud, region, sum(amount) FROM used WHERE {range} AND code = 'filters'"
        " GROUP BY cloud, region)",
    }
    _RANGE = (
        "organization = %(organization)s AND subscription = %(subscription)s"
        " AND timestamp >= %(since)s AND timestamp < %(until)s"
    )

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator["PostgreSQL"]:
        """Started now, stopped and gone afterwards."""
        import psycopg

        folder = Path(tempfile.mkdtemp(prefix="bench-postgresql-"))
        try:
            with _cluster(folder), psycopg.connect(_ADDRESS.format(folder), autocommit=True) as connection:
                connection.execute("SET timezone = 'UTC'")
                yield cls(connection)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def load(self, path: Path) -> None:
        """See `Rival`."""
        run = self._connection.execute
        run("DROP TABLE IF EXISTS used")
        run(
            "CREATE TABLE used (organization text NOT NULL, subscription text NOT NULL, transaction_id text NOT NULL,"
            " code text NOT NULL, timestamp timestamptz NOT NULL, amount numeric, user_id text, cloud text, region text)"
        )
        copied = f"COPY used ({_COLUMNS}) FROM STDIN"
        with path.open("rb") as file, self._connection.cursor() as cursor, cursor.copy(copied) as copy:
            while part := file.read(1 << 20):
                copy.write(part)
        run("CREATE UNIQUE INDEX ON used (organization, subscription, transaction_id)")
        run(
            "CREATE INDEX ON used (organization, subscription, code, timestamp) INCLUDE (amount, user_id, cloud, region)"
        )
        run("VACUUM (ANALYZE) used")  # Also marks all pages as visible: only then the index alone is read.

    def ask(self, questions: Sequence[str], until: datetime) -> Answers:
        """See `Rival`. Prepared once per connection."""
        statement = " UNION ALL ".join(self._SELECTS[each] for each in questions).format(range=self._RANGE)
        values = {"organization": ORGANIZATION, "subscription": SUBSCRIPTION, "since": MONTH.start, "until": until}
        found = self._connection.execute(statement, values, prepare=True).fetchall()
        return {(question, cloud, region): Decimal(value) for question, cloud, region, value in found}


_ADDRESS = "host={0} user=postgres dbname=postgres"
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "512MB",  # More than all that is read.
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "fsync": "off",  # Loads faster; nothing is written while it is asked.
}


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[None]:
    """A server on `folder`, listening to nothing but its socket there."""
    programs = _programs()
    as_user = []
    if os.geteuid() == 0:  # As which PostgreSQL refuses to run; its package brings a user.
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data, options = folder / "data", " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    control = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]

    def run(*command: str) -> None:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run(
        *(*as_user, str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"),
        *("--no-sync", "--encoding=UTF8", "--locale=C"),
    )
    run(*control, "-o", f"-k {folder} {options}", "start")
    try:
        yield
    finally:
        run(*control, "-m", "immediate", "stop")


def _programs() -> Path:
    """Folder of the programs of this machine's newest PostgreSQL: Debian does not put them on the path."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if found:
        return Path(max(found, key=lambda path: float(Path(path).parts[4]))).parent
    on_path = shutil.which("initdb")
    assert on_path is not None, "PostgreSQL is not installed: infra/setup.sh bench"
    return Path(on_path).resolve().parent


class ClickHouse:
    """Embedded, by chdb: no network between it and who asks. Its session stays open."""

    name = "ClickHouse"

    # One type for all values of a statement.
    _SELECTS = {
        "sum": "SELECT 'sum', '', '', toString(sum(amount)) FROM bench.used WHERE {range} AND code = 'sum'",
        "max": "SELECT 'max', '', '', toString(max(amount)) FROM bench.used WHERE {range} AND code = 'max'",
        "unique": "SELECT 'unique', '', '', toString(uniqExact(user_id)) FROM bench.used"
        " WHERE {range} AND code = 'unique'",
        "filters": "SELECT 'filters', toString(cloud), toString(region), toString(sum(amount)) FROM bench.used"
        " WHERE {range} AND code = 'filters' GROUP BY cloud, region",
    }
    _RANGE = (
        "organization = {organization:String} AND subscription = {subscription:String}"
        " AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}"
    )
    _TYPES = (
        "organization LowCardinality(String), subscription LowCardinality(String), transaction_id String,"
        " code LowCardinality(String), timestamp DateTime64(3, 'UTC'), amount Decimal(38, 15), user_id String,"
        " cloud LowCardinality(String), region LowCardinality(String)"
    )

    def __init__(self, session: Any) -> None:
        self._session = session

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator["ClickHouse"]:
        """Opened now, closed and gone afterwards."""
        from chdb.session import Session

        with tempfile.TemporaryDirectory(prefix="bench-clickhouse-") as folder:
            session = Session(folder)
            try:
                session.query("CREATE DATABASE bench")
                yield cls(session)
            finally:
                session.close()

    def load(self, path: Path) -> None:
        """See `Rival`."""
        run = self._session.query
        run("DROP TABLE IF EXISTS bench.used SYNC")
        run(
            f"CREATE TABLE bench.used ({self._TYPES})"
            " ENGINE = MergeTree ORDER BY (organization, subscription, code, timestamp)"
        )
        structure = self._TYPES.replace("'", "\\'")
        run(f"INSERT INTO bench.used SELECT * FROM file('{path}', 'TSV', '{structure}')")
        run("OPTIMIZE TABLE bench.used FINAL")  # One part, as background merges would leave it.

    def ask(self, questions: Sequence[str], until: datetime) -> Answers:
        """See `Rival`."""
        statement = " UNION ALL ".join(self._SELECTS[each].replace("{range}", self._RANGE) for each in questions)
        values = {
            "organization": ORGANIZATION,
            "subscription": SUBSCRIPTION,
            "since": clock_text(MONTH.start),
            "until": clock_text(until),
        }
        found = str(self._session.query(statement, "TSV", params=values))
        lines = [line.split("\t") for line in found.splitlines()]
        return {(question, cloud, region): Decimal(value) for question, cloud, region, value in lines}


assert set(PostgreSQL._SELECTS) == set(ClickHouse._SELECTS) == set(QUESTIONS)
