"""What a proof claims."""


class Failed(Exception):
    """What was promised did not hold."""


def check(held, what):
    if not held:
        raise Failed(what)
