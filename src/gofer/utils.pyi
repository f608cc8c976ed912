from gofer.dropin.utils import *
