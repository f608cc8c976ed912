from gofer.dropin.defaults import *
