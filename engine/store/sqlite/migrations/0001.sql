-- Small facts about the file itself; `key-check` proves that a key is the right one.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One account's link to an integration. `credentials` is sealed; `values` and `metadata` are JSON;
-- times are milliseconds since 1970.
CREATE TABLE connections (
    integration       TEXT NOT NULL,
    id                TEXT NOT NULL,
    status            TEXT NOT NULL,
    status_reason     TEXT,
    "values"          TEXT NOT NULL,
    metadata          TEXT NOT NULL,
    account_id        TEXT,
    account_name      TEXT,
    sandbox           INTEGER NOT NULL,
    credentials       BLOB NOT NULL,
    version           INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    last_used_at      INTEGER,
    last_refreshed_at INTEGER,
    refresh_failure   TEXT,
    PRIMARY KEY (integration, id)
) STRICT;

-- Who may do something alone, until when. Rows stay, so that `fence` only ever grows.
CREATE TABLE leases (
    key   TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    fence INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One invocation of an action. `failure` is JSON; `process` tells whether its process still lives.
CREATE TABLE runs (
    number      INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    process     TEXT NOT NULL,
    integration TEXT NOT NULL,
    action      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    sandbox     INTEGER NOT NULL,
    status      TEXT NOT NULL,
    failure     TEXT,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    attempts    INTEGER NOT NULL,
    waited_ms   INTEGER NOT NULL
) STRICT;

CREATE INDEX runs_by_start ON runs (started_at);

-- One request of a run; `detail` is JSON.
CREATE TABLE attempts (
    run         INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    step        TEXT NOT NULL,
    item        INTEGER,
    page        INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    waited_ms   INTEGER NOT NULL,
    method      TEXT NOT NULL,
    url         TEXT NOT NULL,
    status      INTEGER,
    outcome     TEXT NOT NULL,
    message     TEXT,
    detail      TEXT,
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
