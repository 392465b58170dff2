"""Many runs of many tenants: whose turn it is, what each may use, and the host that holds them."""
