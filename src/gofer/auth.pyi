from gofer.dropin.auth import *
