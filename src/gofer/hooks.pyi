from gofer.dropin.hooks import *
