-- molos: allow rename-column mcp_api_keys.allowed_modules
ALTER TABLE mcp_api_keys RENAME COLUMN allowed_modules TO allowed_scopes;
