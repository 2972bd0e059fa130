-- The keys of the server, by the digest of what their holders have. JSON lists: `scopes`,
-- `integrations`, `actions`. `revision` grows over all rows with every change.
CREATE TABLE keys (
    id           TEXT PRIMARY KEY,
    hash         TEXT NOT NULL UNIQUE,
    name         TEXT,
    scopes       TEXT NOT NULL,
    integrations TEXT NOT NULL,
    actions      TEXT NOT NULL,
    read_only    INTEGER NOT NULL,
    end_user     TEXT,
    rate         TEXT,
    concurrency  INTEGER,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    revision     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_by_revision ON keys (revision);

-- From where it was asked for, and what it was about besides an account: then `integration` and `id`
-- are empty.
ALTER TABLE audit ADD COLUMN source TEXT;
ALTER TABLE audit ADD COLUMN about TEXT;
