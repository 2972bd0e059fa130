-- The runs of a connection, by time.
CREATE INDEX runs_of_connection ON runs (integration, connection, started_at);

-- Pages of what one end user or one organization has, in each order.
DROP INDEX accounts_by_end_user;
DROP INDEX accounts_by_organization;

CREATE INDEX accounts_of_end_user ON accounts (end_user_id, integration, id)
    WHERE end_user_id IS NOT NULL;
CREATE INDEX accounts_of_end_user_by_creation ON accounts (end_user_id, created_at, number)
    WHERE end_user_id IS NOT NULL;
CREATE INDEX accounts_of_end_user_by_change ON accounts (end_user_id, updated_at, number)
    WHERE end_user_id IS NOT NULL;
CREATE INDEX accounts_of_organization ON accounts (organization_id, integration, id)
    WHERE organization_id IS NOT NULL;
CREATE INDEX accounts_of_organization_by_creation ON accounts (organization_id, created_at, number)
    WHERE organization_id IS NOT NULL;
CREATE INDEX accounts_of_organization_by_change ON accounts (organization_id, updated_at, number)
    WHERE organization_id IS NOT NULL;
