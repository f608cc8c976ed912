"""What programs ask of `requests.packages.urllib3`, where urllib3 itself is not installed.

    exceptions.py   urllib3's names for gofer's exceptions
    util/           `util.Retry` and `util.Timeout`

Nothing here is urllib3's own code; a program that wants more of it has to install it.
"""

import warnings

from gofer.dropin.urllib3_face import exceptions, util
from gofer.dropin.urllib3_face.util import Retry, Timeout

__all__ = ["Retry", "Timeout", "disable_warnings", "exceptions", "util"]

__version__ = "2.0.0"  # whose names these are


def disable_warnings(category: type[Warning] = exceptions.HTTPWarning) -> None:
    """Show no more of the warnings of that kind."""
    warnings.simplefilter("ignore", category)
