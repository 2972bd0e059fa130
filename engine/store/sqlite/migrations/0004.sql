-- What is shown of the tags of an account, as a JSON object; the table `tags` is for filters.
ALTER TABLE accounts ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';

UPDATE accounts SET tags = (SELECT json_group_object(name, value) FROM tags WHERE account = number)
WHERE number IN (SELECT account FROM tags);

-- Pages within one integration.
CREATE INDEX accounts_of_integration_by_creation ON accounts (integration, created_at, number);
CREATE INDEX accounts_of_integration_by_change ON accounts (integration, updated_at, number);
CREATE INDEX accounts_by_status ON accounts (status) WHERE status <> 'active';

-- Requests that may be under way at once, by who holds the places; `boot_until` is the end on the
-- boot clock of the machine that gave them, in milliseconds.
CREATE TABLE permits (
    bucket     TEXT NOT NULL,
    holder     TEXT NOT NULL,
    places     INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    boot       TEXT NOT NULL,
    boot_until INTEGER NOT NULL,
    PRIMARY KEY (bucket, holder)
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_under_way ON runs (started_at) WHERE status = 'running';
