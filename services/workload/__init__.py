"""What a call asks for, in each style of writing it.

`plan` reads a request, `steps` does the work that needs no waiting, `run` records what one call did. The styles differ
in nothing but how they wait: `linear` blocks, `coroutine` awaits, and those of `callback_styles` pass on what comes
next. Nothing here knows a socket, a session or a model.
"""
