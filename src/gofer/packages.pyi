from gofer.dropin.packages import *
