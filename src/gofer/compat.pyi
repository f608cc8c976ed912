from gofer.dropin.compat import *
