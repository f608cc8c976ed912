"""`gofer.async`: the name of 2012 for `gofer.async_`, which no import statement can spell today."""

import sys

from gofer import async_

sys.modules[__name__] = async_
