-- What was granted: a JSON list, or nothing if the vendor never said.
ALTER TABLE connections ADD COLUMN scopes TEXT;

-- No token request before this time, for any process: the last refresh failed with "not now".
ALTER TABLE connections ADD COLUMN refresh_retry_at INTEGER;

-- Tokens of deleted connections that the vendor has not taken back yet. `credentials` is sealed.
CREATE TABLE revocations (
    integration TEXT NOT NULL,
    id          TEXT NOT NULL,
    "values"    TEXT NOT NULL,
    sandbox     INTEGER NOT NULL,
    credentials BLOB NOT NULL,
    attempts    INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (integration, id, created_at)
) STRICT, WITHOUT ROWID;
