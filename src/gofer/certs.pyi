from gofer.dropin.certs import *
