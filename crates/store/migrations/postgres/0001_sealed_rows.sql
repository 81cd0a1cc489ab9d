-- Why: one table holds every concept, sealed; a new concept is a new kind, not a new table.
CREATE TABLE sealed_row (
    kind    TEXT COLLATE "C" NOT NULL,
    id      BYTEA            NOT NULL CHECK (length(id) = 16),
    owner   BYTEA                     CHECK (length(owner) = 16),
    rank    BIGINT           NOT NULL,
    due     BIGINT,
    version BIGINT           NOT NULL CHECK (version > 0),
    body    BYTEA            NOT NULL,
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 85);

-- What is sealed cannot be compressed: do not try.
ALTER TABLE sealed_row ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE INDEX sealed_row_owner ON sealed_row (kind, owner, rank, id) WHERE owner IS NOT NULL;
CREATE INDEX sealed_row_due ON sealed_row (kind, due, id) WHERE due IS NOT NULL;

-- Numbers about the database itself; `ready` counts readiness writes.
CREATE TABLE meta (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT           NOT NULL
) WITH (fillfactor = 50);

INSERT INTO meta (name, value) VALUES ('ready', 0);

-- The last transaction of each of a server's slots: whether one was committed can be looked up here
-- when the connection was lost before the answer came.
CREATE TABLE commit_mark (
    slot BYTEA       NOT NULL PRIMARY KEY,
    turn BIGINT      NOT NULL,
    seen TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);
