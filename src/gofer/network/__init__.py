"""From a route to an exchange: routes, dialling, TLS, the pool, connections."""
