"""Why the embedded server cannot start, in words that say what to do."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.model.errors import ConfigurationError

OWN_SERVER = (
    "To use your own PostgreSQL (14 or later) instead, set CARBON_GATEWAY_DATABASE_URL, "
    "for example to postgresql://USER:PASSWORD@HOST:5432/carbon_gateway"
)

# As /proc/self/mountinfo names them (proc(5)). On a share neither flock nor fsync can be relied on.
SHARES = frozenset(
    {
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.davfs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "fuse.vmhgfs-fuse",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "prl_fs",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
    }
)

# What the binaries print, in English because they run with LC_ALL=C, and what it means. First match wins.
MEANINGS = (
    ("could not create shared memory segment", "this system gives PostgreSQL no shared memory"),
    ("could not open shared memory segment", "this system gives PostgreSQL no shared memory (is /dev/shm mounted?)"),
    ("could not resize shared memory segment", "this system gives PostgreSQL too little shared memory (/dev/shm)"),
    ("could not map anonymous shared memory", "this system has too little memory for PostgreSQL's shared buffers"),
    ("database files are incompatible with server", "the database was made by another major version of PostgreSQL"),
    ("could not look up effective user ID", "the user has no entry in /etc/passwd and may not use user namespaces"),
    ("has wrong ownership", "the database files belong to a user as whom the server may not run here"),
    ("has invalid permissions", "the file system of the data directory does not keep permissions"),
    ("error while loading shared libraries", "the binaries cannot load their libraries"),
    ("GLIBC_", "the binaries need a newer C library than this system has"),
    ("No space left on device", "the disk is full"),
    ("Read-only file system", "the data directory is on a read-only file system"),
)


def cannot_start(data_directory: Path, cause: str, output: str = "") -> ConfigurationError:
    """The error to raise: the cause, what the server said last, and the way out."""
    said = f"\nThe server's last words:\n{output.strip()}" if output.strip() else ""
    return ConfigurationError(f"The embedded PostgreSQL in {data_directory} cannot start: {cause}.{said}\n{OWN_SERVER}")


def meaning(output: str, otherwise: str) -> str:
    """What the output of a PostgreSQL program says about the system; `otherwise` where it is not known."""
    return next((cause for words, cause in MEANINGS if words in output), otherwise)


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, as Linux names it; empty where the system does not say."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    return file_system_in(mounts, folder.resolve())


def file_system_in(mounts: str, folder: Path) -> str:
    """The type of the innermost mount that holds an absolute folder; of two on one place, the later one."""
    found = (0, "")
    for line in mounts.splitlines():
        fields, _, kind = line.partition(" - ")
        place = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields.split()[4]))
        if folder.is_relative_to(place) and len(place.parts) >= found[0]:
            found = (len(place.parts), kind.split()[0])
    return found[1]
