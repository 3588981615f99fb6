"""A full-text index of the papers."""

from alembic import op

revision = "0003"
down_revision = "0002"

_NOW = """
CREATE VIEW paper_now AS
SELECT r.paper_id AS id, r.title, r.abstract,
       coalesce({authors}, '') || ' ' || coalesce({organisation}, '')
       || ' ' || coalesce(r.arxiv_id, '') || ' ' || coalesce(r.doi, '') AS names
FROM revision r
WHERE r.dump_id = (SELECT max(n.dump_id) FROM revision n WHERE n.paper_id = r.paper_id)
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            _NOW.format(
                authors="(SELECT group_concat(value, ' ') FROM json_each(r.facts, '$.authors'))",
                organisation="json_extract(r.facts, '$.organisation')",
            )
        )
        op.execute(
            "CREATE VIRTUAL TABLE paper_text USING fts5(title, abstract, names, content='paper_now',"
            " content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')"
        )
        op.execute(  # FTS5's own 'rebuild' cannot look into JSON
            "INSERT INTO paper_text (rowid, title, abstract, names)"
            " SELECT id, title, abstract, names FROM paper_now"
        )
        return
    op.execute(
        _NOW.format(
            authors="(SELECT string_agg(name, ' ') FROM"
            " json_array_elements_text(r.facts -> 'authors') AS name)",
            organisation="(r.facts ->> 'organisation')",
        )
    )
    op.execute(
        "CREATE TABLE paper_text (paper_id integer PRIMARY KEY REFERENCES paper (id),"
        " document tsvector NOT NULL)"
    )
    folded = "regexp_replace(normalize(left({}, 100000), NFKD), '[\u0300-\u036f]+', '', 'g')"
    document = " || ".join(
        f"setweight(to_tsvector('english', {folded.format(name)}), '{weight}')"
        for name, weight in (("title", "A"), ("names", "B"), ("abstract", "D"))
    )
    op.execute(f"INSERT INTO paper_text (paper_id, document) SELECT id, {document} FROM paper_now")  # noqa: S608
    op.execute("CREATE INDEX ix_paper_text_document ON paper_text USING gin (document)")
