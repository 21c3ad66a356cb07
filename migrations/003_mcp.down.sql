DROP TABLE mcp_permission_scopes;
DROP TABLE mcp_module_scopes;
DROP TABLE mcp_api_keys;
