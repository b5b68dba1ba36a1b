"""Run a command that ends when its caller does, even by kill -9: python tether.py CALLER UID GID SIGNAL COMMAND…

The caller starts this script instead of the command. The script drops root for an ordinary user if asked to
(UID and GID are -1 if not), ties its life to the caller's, then becomes the command, so that the process id stays
the same. On Linux the kernel sends the signal; elsewhere a small child watches. It is a script of its own because
the same work in `preexec_fn` may deadlock a caller that has threads, and only the standard library is imported
because every start of a server pays for it.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 0.2


def demote(uid: int, gid: int) -> None:
    """Become an ordinary user for good; PostgreSQL and MariaDB refuse to be run by root."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def tie(caller: int, death_signal: int) -> None:
    """Have the kernel signal this process when the caller's thread ends; exec keeps that, a change of user does not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != caller:  # it died before the line above took effect
        sys.exit(1)


def is_running(pid: int) -> bool:
    """Tell whether a process exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def watch(caller: int, server: int, death_signal: int) -> None:
    """Signal the server once the caller is gone; end when either is. Runs where no kernel does this for us."""
    while os.getppid() == server and is_running(caller):
        time.sleep(WATCH_SECONDS)
    if os.getppid() == server:
        os.kill(server, death_signal)


def start_watchdog(caller: int, death_signal: int) -> None:
    """Fork the watchdog, which lets go of the server's output and of the terminal's Ctrl-C."""
    server = os.getpid()
    if os.fork() != 0:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    watch(caller, server, death_signal)
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Tie this process to its caller, then become the command."""
    caller, uid, gid, death_signal = (int(word) for word in arguments[:4])
    command = arguments[4:]
    if uid >= 0:
        demote(uid, gid)
    if sys.platform == "linux" and "HUTONG_TETHER_WATCHDOG" not in os.environ:
        tie(caller, death_signal)
    else:
        start_watchdog(caller, death_signal)
    os.execv(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    main(sys.argv[1:])
