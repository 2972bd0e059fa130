-- Accounts, without their secrets. JSON: `scopes` (a list), `connection_config`, `metadata`. Times
-- are milliseconds since 1970. `incarnation` tells an account from another one of the same name.
CREATE TABLE accounts (
    number               INTEGER PRIMARY KEY AUTOINCREMENT,
    integration          TEXT NOT NULL,
    id                   TEXT NOT NULL,
    incarnation          TEXT NOT NULL,
    version              INTEGER NOT NULL,
    status               TEXT NOT NULL,
    status_reason        TEXT,
    scopes               TEXT,
    account_id           TEXT,
    account_name         TEXT,
    connection_config    TEXT NOT NULL,
    metadata             TEXT NOT NULL,
    end_user_id          TEXT,
    end_user_email       TEXT,
    end_user_name        TEXT,
    organization_id      TEXT,
    organization_name    TEXT,
    webhook_url_override TEXT,
    sandbox              INTEGER NOT NULL,
    failures             INTEGER NOT NULL,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    last_fetched_at      INTEGER,
    last_used_at         INTEGER,
    last_refreshed_at    INTEGER,
    UNIQUE (integration, id)
) STRICT;

CREATE INDEX accounts_by_creation ON accounts (created_at, number);
CREATE INDEX accounts_by_change ON accounts (updated_at, number);
CREATE INDEX accounts_by_end_user ON accounts (end_user_id) WHERE end_user_id IS NOT NULL;
CREATE INDEX accounts_by_organization ON accounts (organization_id) WHERE organization_id IS NOT NULL;

CREATE TABLE tags (
    account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX tags_by_value ON tags (name, value);

-- What is sealed of an account, and who may renew it until when. `checksum` tells a damaged row
-- without opening it; `names` is a JSON list of what is set; `lease_boot` and `lease_boot_until`
-- are the lease's end on the boot clock of the machine that gave it, in milliseconds.
CREATE TABLE secrets (
    account          INTEGER PRIMARY KEY REFERENCES accounts (number) ON DELETE CASCADE,
    sealed           BLOB NOT NULL,
    checksum         INTEGER NOT NULL,
    names            TEXT NOT NULL,
    expires_at       INTEGER,
    generation       INTEGER NOT NULL,
    parent           INTEGER,
    token_fence      INTEGER,
    fence            INTEGER NOT NULL,
    holder           TEXT,
    lease_until      INTEGER,
    lease_boot       TEXT,
    lease_boot_until INTEGER,
    refresh_failure  TEXT,
    refresh_retry_at INTEGER
) STRICT;

INSERT INTO accounts (integration, id, incarnation, version, status, status_reason, scopes,
    account_id, account_name, connection_config, metadata, sandbox, failures, created_at,
    updated_at, last_used_at, last_refreshed_at)
SELECT integration, id, lower(hex(randomblob(10))), version, status, status_reason, scopes,
    account_id, account_name, "values", metadata, sandbox, refresh_failure IS NOT NULL, created_at,
    updated_at, last_used_at, last_refreshed_at
FROM connections ORDER BY created_at, integration, id;

-- Tokens of deleted accounts that the vendor has not taken back yet.
ALTER TABLE revocations RENAME TO older_revocations;

CREATE TABLE revocations (
    number            INTEGER PRIMARY KEY,
    integration       TEXT NOT NULL,
    id                TEXT NOT NULL,
    connection_config TEXT NOT NULL,
    sealed            BLOB NOT NULL,
    attempts          INTEGER NOT NULL,
    reason            TEXT NOT NULL,
    created_at        INTEGER NOT NULL
) STRICT;

INSERT INTO revocations
    (integration, id, connection_config, sealed, attempts, reason, created_at)
SELECT integration, id, "values", credentials, attempts, reason, created_at
FROM older_revocations ORDER BY created_at;

DROP TABLE older_revocations;

-- Who does alone what only one process should do.
DROP TABLE leases;

CREATE TABLE leases (
    key        TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    fence      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    boot       TEXT NOT NULL,
    boot_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The states of rate limits that all processes share; what they mean is the engine's affair.
CREATE TABLE limits (
    bucket     TEXT PRIMARY KEY,
    version    INTEGER NOT NULL,
    state      TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Work that is known by its caller's key; `result` is sealed.
CREATE TABLE jobs (
    number      INTEGER PRIMARY KEY,
    idem_scope  TEXT NOT NULL,
    idem_key    TEXT NOT NULL,
    body_hash   TEXT NOT NULL,
    state       TEXT NOT NULL,
    claim       INTEGER NOT NULL,
    owner       TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    result      BLOB,
    enqueued_at INTEGER NOT NULL,
    UNIQUE (idem_scope, idem_key)
) STRICT;

CREATE INDEX jobs_by_age ON jobs (enqueued_at);

-- Sign-ins that have begun. `state_hash` is a digest of `state`; `sealed` holds the verifier and
-- the secret of a temporary token; `parameters` and `result` are JSON.
CREATE TABLE consents (
    number       INTEGER PRIMARY KEY,
    state_hash   TEXT NOT NULL UNIQUE,
    integration  TEXT NOT NULL,
    id           TEXT NOT NULL,
    sealed       BLOB NOT NULL,
    redirect_uri TEXT NOT NULL,
    issuer       TEXT,
    session      TEXT,
    cookie_hash  TEXT,
    socket_id    TEXT,
    return_url   TEXT,
    parameters   TEXT NOT NULL,
    expires_at   INTEGER NOT NULL,
    taken_at     INTEGER,
    result       TEXT
) STRICT;

CREATE INDEX consents_by_end ON consents (expires_at);

-- Who opened or changed what.
CREATE TABLE audit (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    who         TEXT NOT NULL,
    what        TEXT NOT NULL,
    integration TEXT NOT NULL,
    id          TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_time ON audit (at);
