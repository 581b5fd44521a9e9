"""carbon-gateway: links a Hong Kong carbon venue with the registries and venues of other markets."""
