-- API keys for MCP clients. A key needs two grants: the module it may talk to (its module scopes),
-- and what it may do there (its permission scopes). They are kept apart: one never implies the other.

CREATE TABLE mcp_api_keys (
    id              TEXT    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    key_hash        BLOB    NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    allowed_modules TEXT    NOT NULL DEFAULT '[]' CHECK (json_type(allowed_modules) = 'array'),
    expires_at      INTEGER,
    created_at      INTEGER NOT NULL DEFAULT (unixepoch())
);

CREATE TABLE mcp_module_scopes (
    id          TEXT    NOT NULL PRIMARY KEY,
    api_key_id  TEXT    NOT NULL REFERENCES mcp_api_keys (id) ON DELETE CASCADE,
    module_name TEXT    NOT NULL,
    created_at  INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE UNIQUE INDEX mcp_module_scopes_grant ON mcp_module_scopes (api_key_id, module_name);

CREATE TABLE mcp_permission_scopes (
    id         TEXT    NOT NULL PRIMARY KEY,
    api_key_id TEXT    NOT NULL REFERENCES mcp_api_keys (id) ON DELETE CASCADE,
    resource   TEXT    NOT NULL,
    level      TEXT    NOT NULL CHECK (level IN ('read', 'write', 'admin')),
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE UNIQUE INDEX mcp_permission_scopes_grant ON mcp_permission_scopes (api_key_id, resource);
