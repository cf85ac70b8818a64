"""Plain functions that call each other, and the same in each style once the innermost has to wait.

Code that does not wait looks alike in every style. That is what the difference is taken from: how far down a chain of
calls a wait is felt, in lines that have to change ("function colour"; Adya et al., USENIX 2002, section 3.3).
"""

PLAIN = """\
def outer(amount):
    fee = middle(amount)
    return amount + fee

def middle(amount):
    share = inner(amount)
    return amount // share

def inner(amount):
    share = 5
    return share
"""

_BLOCKS = """\
def outer(amount):
    fee = middle(amount)
    return amount + fee

def middle(amount):
    share = inner(amount)
    return amount // share

def inner(amount):
    share = 5
    wait()
    return share
"""

AFTER = {
    "linear": _BLOCKS,
    "green": _BLOCKS,
    "coroutine": """\
async def outer(amount):
    fee = await middle(amount)
    return amount + fee

async def middle(amount):
    share = await inner(amount)
    return amount // share

async def inner(amount):
    share = 5
    await wait()
    return share
""",
    "continuations": """\
def outer(amount):
    fee = yield from middle(amount)
    return amount + fee

def middle(amount):
    share = yield from inner(amount)
    return amount // share

def inner(amount):
    share = 5
    yield wait
    return share
""",
    "closures": """\
def outer(amount, then):
    middle(amount, lambda fee: then(amount + fee))

def middle(amount, then):
    inner(amount, lambda share: then(amount // share))

def inner(amount, then):
    share = 5
    wait(lambda: then(share))
""",
    "ripped": """\
class Outer:
    def begin(self, amount, then):
        self.amount = amount
        self.then = then
        Middle().begin(amount, self.middle_done)

    def middle_done(self, fee):
        self.then(self.amount + fee)

class Middle:
    def begin(self, amount, then):
        self.amount = amount
        self.then = then
        Inner().begin(amount, self.inner_done)

    def inner_done(self, share):
        self.then(self.amount // share)

class Inner:
    def begin(self, amount, then):
        self.then = then
        self.share = 5
        wait(self.waited)

    def waited(self):
        self.then(self.share)
""",
}
