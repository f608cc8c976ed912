"""Other people's libraries and programs, on gofer in the place of Requests.

`make third-party` installs them into a folder of their own and runs these tests with it on the
path, and with `-p on_gofer`. In any other run they are left out: there is nothing to run.
"""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("responses") is not None else ["test_*.py"]
