"""Words → papers: a full-text index of what is known of each paper now (SQLite FTS5, PostgreSQL tsvector).

The index reads the view `paper_now` and keeps no text of its own. It is right because whoever records
revisions calls `forget` before and `learn` after, in the same transaction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection, text

LONGEST = 300  #: characters of a query that count
_TERMS = 16  # words and phrases of a query that count
_TERM = re.compile(r'"([^"]*)(?:"|$)|([^\s"]+)')
_CHUNK = 500

# Marks above letters are left away on both sides; FTS5's tokenizer does so by itself.
FOLDED = "regexp_replace(normalize({}, NFKD), '[\u0300-\u036f]+', '', 'g')"
#: The document of a paper on PostgreSQL, whose documents have at most 1 MiB; the title counts most.
DOCUMENT = " || ".join(
    f"setweight(to_tsvector('english', {FOLDED.format(f'left({name}, 100000)')}), '{weight}')"
    for name, weight in (("title", "A"), ("names", "B"), ("abstract", "D"))
)


def terms(query: str) -> list[str]:
    """Give the words of a query, and its phrases in quotes; what has neither letter nor digit is left out."""
    clean = query[:LONGEST].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    found = [phrase or word for phrase, word in _TERM.findall(clean)]
    return [each for each in found if any(map(str.isalnum, each))][:_TERMS]


def find(
    connection: Connection, query: str, limit: int = 20, offset: int = 0
) -> tuple[int, list[int]]:
    """Count the papers that have all words and phrases of a query, and name some: what fits best, then the newest.

    Any text is a query; one without words finds nothing.
    """
    wanted = terms(query)
    if not wanted:
        return 0, []
    if connection.dialect.name == "sqlite":
        values: dict[str, object] = {"query": " ".join(f'"{each}"' for each in wanted)}
        where = "paper_text MATCH :query"
        order = "bm25(paper_text, 8.0, 1.0, 4.0), rowid DESC"
        which = "rowid"
    else:
        values = {f"term{number}": each for number, each in enumerate(wanted)}
        query = " && ".join(
            f"phraseto_tsquery('english', {FOLDED.format(f':{name}')})" for name in values
        )
        where = f"document @@ ({query})"
        order = f"ts_rank(document, {query}) DESC, paper_id DESC"
        which = "paper_id"
    # Nothing but names of ours stands in the statements; what was asked for is bound.
    count = text(f"SELECT count(*) FROM paper_text WHERE {where}")  # noqa: S608
    page = text(
        f"SELECT {which} FROM paper_text WHERE {where} ORDER BY {order} LIMIT :limit OFFSET :offset"  # noqa: S608
    )
    total = connection.scalar(count, values) or 0
    ids = list(connection.scalars(page, {**values, "limit": limit, "offset": offset}))
    return total, ids


def forget(connection: Connection, paper_ids: Sequence[int]) -> None:
    """Take papers out of the index, while the store still knows them as the index does."""
    if connection.dialect.name == "sqlite":
        _each(connection, "DELETE FROM paper_text WHERE rowid IN ({})", paper_ids)


def learn(connection: Connection, paper_ids: Sequence[int]) -> None:
    """Put papers into the index as they are known now; they must not be in it, on SQLite."""
    _each(connection, _LEARN[connection.dialect.name], paper_ids)


_LEARN = {
    "sqlite": "INSERT INTO paper_text (rowid, title, abstract, names)"
    " SELECT id, title, abstract, names FROM paper_now WHERE id IN ({})",
    "postgresql": f"INSERT INTO paper_text (paper_id, document) SELECT id, {DOCUMENT}"  # noqa: S608 - names of ours
    " FROM paper_now WHERE id IN ({})"
    " ON CONFLICT (paper_id) DO UPDATE SET document = excluded.document",
}


def _each(connection: Connection, statement: str, paper_ids: Sequence[int]) -> None:
    for start in range(0, len(paper_ids), _CHUNK):
        some = ", ".join(str(int(each)) for each in paper_ids[start : start + _CHUNK])
        connection.exec_driver_sql(statement.format(some))
