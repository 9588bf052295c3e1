# SPDX-License-Identifier: GPL-2.0-or-later
"""Run by gdb: tells peers_remote.c the frames of each stop, and goes on to the next."""
import gdb

IN_PACKET = 64


def pcs():
    found, wanted = [], int(gdb.execute("monitor ?", to_string=True))
    try:
        frame = gdb.newest_frame()
        while frame and len(found) < wanted:
            if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                found.append(f"{frame.pc():x}")
            frame = frame.older()
    except gdb.error:
        pass # what it found until then counts
    return found


def main():
    while True:
        found = pcs()
        for at in range(0, len(found), IN_PACKET):
            gdb.execute("monitor " + " ".join(found[at:at + IN_PACKET]))
        gdb.execute("continue")


main()
