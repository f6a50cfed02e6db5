"""Documents that lie at an address: which server is asked how, within which limits.

`place.py` tells what is meant by an address, `reach.py` is the one rule of what may be connected
to, `web.py` fetches. Each of the others is a kind of place.
"""
