"""The runtimes: the only code that waits, each in another way. Nothing above is written twice.

    base.py                 the contract: what a runtime has to offer

    blocking.py             Session: system calls that block the thread
    hub.py                  map and imap: one thread, one poll, many tasks
    hub_stream.py           a socket on the hub
    asyncio.py              AsyncSession under asyncio, and under uvloop
    asyncio_stream.py       a connection of its loops
    asyncio_datagrams.py    its UDP sockets
    trio.py                 AsyncSession under trio
    gevent.py               Session(runtime="gevent")
    here.py                 which of asyncio and trio is running

Shared by all of them:

    names.py                looking up host names
    connecting.py           connecting to the first of several addresses that answers
    sockets.py              a stream over a non-blocking socket
    datagrams.py            a UDP socket
    threads.py              functions and awaitables of the caller: in a thread, or without a loop
"""
