from gofer.dropin.adapters import *
