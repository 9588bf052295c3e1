# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug registers, asked of the kernel itself: another witness of what culprit gave back."""
import contextlib
import ctypes
import errno
import os
import struct

PERF_EVENT_OPEN = 298  # x86_64
PERF_TYPE_BREAKPOINT = 5
HW_BREAKPOINT_W = 2
DISABLED = 1
EXCLUDE_KERNEL = 1 << 5

libc = ctypes.CDLL(None, use_errno=True)
cell = ctypes.create_string_buffer(64)


def open_register(tid, address):
    """A breakpoint event, disabled; it takes a register all the same."""
    attr = struct.pack("<IIQQQQQII", PERF_TYPE_BREAKPOINT, 128, 0, 1, 0, 0,
                       DISABLED | EXCLUDE_KERNEL, 0, HW_BREAKPOINT_W)
    attr += struct.pack("<QQ", address, 8)
    attr += bytes(128 - len(attr))
    fd = libc.syscall(PERF_EVENT_OPEN, attr, tid, -1, -1, 8)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


@contextlib.contextmanager
def hold(tid, count):
    """Takes registers of a thread."""
    address = (ctypes.addressof(cell) + 7) & ~7
    fds = [open_register(tid, address) for _ in range(count)]
    try:
        yield
    finally:
        for fd in fds:
            os.close(fd)


def free_registers(tid=0):
    """How many more events the kernel lets a thread have."""
    address = (ctypes.addressof(cell) + 7) & ~7
    fds = []
    try:
        while len(fds) < 64:
            fds.append(open_register(tid, address))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        for fd in fds:
            os.close(fd)
    return len(fds)
