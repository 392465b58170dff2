"""Many runs of many tenants: the host, its scheduler, the quotas of tenants, the budget of memory."""
