"""Files, folders and addresses: written whole, owned by one run, read through one door.

``atomic`` writes, ``claims`` keeps runs and folders apart, ``remote`` reads bytes from disks and
URLs, ``escaping`` makes text from data harmless where it goes.
"""
