-- OAuth 2: clients, authorization codes with PKCE, and tokens.
-- Secrets, codes and tokens are stored as SHA-256 hashes (32 bytes), never plain.

CREATE TABLE oauth_clients (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    secret_hash   BLOB    CHECK (length(secret_hash) = 32), -- NULL: a public client
    redirect_uris TEXT    NOT NULL CHECK (json_type(redirect_uris) = 'array'),
    created_at    INTEGER NOT NULL DEFAULT (unixepoch())
);

CREATE TABLE oauth_authorization_codes (
    code_hash             BLOB    NOT NULL PRIMARY KEY CHECK (length(code_hash) = 32),
    client_id             TEXT    NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    user_id               TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    redirect_uri          TEXT    NOT NULL,
    scope                 TEXT    NOT NULL DEFAULT '',
    code_challenge        TEXT    NOT NULL,
    code_challenge_method TEXT    NOT NULL DEFAULT 'S256' CHECK (code_challenge_method = 'S256'),
    expires_at            INTEGER NOT NULL,
    used_at               INTEGER,
    created_at            INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX oauth_authorization_codes_client_id ON oauth_authorization_codes (client_id);
CREATE INDEX oauth_authorization_codes_user_id ON oauth_authorization_codes (user_id);
CREATE INDEX oauth_authorization_codes_expires_at ON oauth_authorization_codes (expires_at);

-- Tokens of one family descend from one authorization code: the reuse of a rotated refresh token revokes them all.
CREATE TABLE oauth_tokens (
    token_hash  BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    kind        TEXT    NOT NULL CHECK (kind IN ('access', 'refresh')),
    family_id   TEXT    NOT NULL,
    client_id   TEXT    NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    user_id     TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    replaced_by BLOB    REFERENCES oauth_tokens (token_hash) ON DELETE SET NULL,
    scope       TEXT    NOT NULL DEFAULT '',
    expires_at  INTEGER NOT NULL,
    revoked_at  INTEGER,
    created_at  INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX oauth_tokens_family_id ON oauth_tokens (family_id);
CREATE INDEX oauth_tokens_client_id ON oauth_tokens (client_id);
CREATE INDEX oauth_tokens_user_id ON oauth_tokens (user_id);
CREATE INDEX oauth_tokens_replaced_by ON oauth_tokens (replaced_by);
CREATE INDEX oauth_tokens_expires_at ON oauth_tokens (expires_at);
