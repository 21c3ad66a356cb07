ALTER TABLE mcp_api_keys RENAME COLUMN allowed_scopes TO allowed_modules;
