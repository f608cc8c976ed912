"""What `requests.__version__` says while gofer stands in for it: whose API this is.

Programs compare it with the version they need.
"""

__title__ = "requests"
__description__ = "Python HTTP for Humans, by gofer."
__url__ = "https://requests.readthedocs.io"
__version__ = "2.34.2"
__build__ = 0x023402
__author__ = "The gofer authors"
__author_email__ = ""
__license__ = "Apache-2.0"
__copyright__ = "Copyright The gofer authors"
__cake__ = "\u2728 \U0001f370 \u2728"
