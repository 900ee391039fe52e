"""Look at an installation, running or stopped, for what its operator should know: `goodword doctor`."""
