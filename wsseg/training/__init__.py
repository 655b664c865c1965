"""Training that can be killed at any moment; after resuming it gives the same result as an uninterrupted one."""
