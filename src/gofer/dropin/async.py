"""`gofer.async`, the seed's name for `gofer.async_`: not to be written in an import statement."""

import sys

from gofer import async_

sys.modules[__name__] = async_
