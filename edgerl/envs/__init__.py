"""The contracts: environment, spaces, policy; the registry; the kit that checks an environment. May import `util`."""
