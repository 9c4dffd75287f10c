"""What this package raises when a user can mend the cause."""


class UserError(ValueError):
    """Its message says what was given, what is allowed, what to do; programs show nothing else."""


class LaunchError(UserError):
    """What stops a program before its long work begins."""
